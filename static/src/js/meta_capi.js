/*
 * Gives every call of the Meta Pixel an eventID and tells the shop's server of it, so
 * that Meta gets each event from both ends under one id.
 *
 * Whatever loads the Pixel, before or after this script, and whether it is blocked:
 * calls are seen where the page makes them. The rest is configured in the attributes of
 * the script's own tag. Nothing in here may break a call: what fails is passed on as is.
 */
(function () {
    "use strict";

    const script = document.currentScript;
    if (!script || window.metaCapi) {
        return;
    }
    Object.defineProperty(window, "metaCapi", {value: true});

    const config = script.dataset;
    const names = new Set(config.events.split(","));
    // Where the name of the event is among the arguments of a call.
    const NAME_INDEX = {track: 1, trackCustom: 1, trackSingle: 2, trackSingleCustom: 2};
    // Events that wait for the visitor's consent, on this page.
    const MAX_HELD = 50;
    const MAX_ID_LENGTH = 100;
    // What the server takes.
    const MAX_SIZE = 16384;
    // Milliseconds before each try to learn the order's id.
    const ORDER_PAUSES = [0, 500, 1500, 3000];
    const ORDER_TIMEOUT = 5000;

    function guarded(action) {
        try {
            action();
        } catch (_error) {
            // The page goes on without us.
        }
    }

    // ---------------------------------------------------------------------- consent

    let accepted = false;
    let held = [];

    function isAccepted() {
        if (!config.consent) {
            return true;
        }
        try {
            const found = /(?:^|;\s*)website_cookies_bar=([^;]*)/.exec(document.cookie);
            return JSON.parse(decodeURIComponent(found[1])).optional === true;
        } catch (_error) {
            return accepted;
        }
    }

    document.addEventListener("optionalCookiesAccepted", function () {
        accepted = true;
        const bodies = held;
        held = [];
        bodies.forEach(send);
    });

    // ----------------------------------------------------------------------- mirror

    function newId() {
        try {
            return crypto.randomUUID();
        } catch (_error) {
            // Not on plain http.
            const random = () => Math.random().toString(36).slice(2, 12);
            return `${Date.now().toString(36)}-${random()}${random()}`;
        }
    }

    function send(body) {
        try {
            if (navigator.sendBeacon && navigator.sendBeacon(config.collect, body)) {
                return;
            }
        } catch (_error) {
            // A browser without beacons, or one that has too many under way.
        }
        fetch(config.collect, {method: "POST", body, keepalive: true}).catch(() => {});
    }

    function mirror(name, id, data) {
        const payload = {
            event_name: name,
            event_id: id,
            event_source_url: location.href.split("#")[0],
            referrer_url: document.referrer,
        };
        let body = JSON.stringify(payload);
        if (data && typeof data === "object" && !Array.isArray(data)) {
            try {
                payload.custom_data = data;
                const full = JSON.stringify(payload);
                body = new Blob([full]).size > MAX_SIZE ? body : full;
            } catch (_error) {
                // The event counts without what cannot be sent of it.
            }
        }
        if (id.length > MAX_ID_LENGTH) {
            return;
        }
        if (isAccepted()) {
            send(body);
        } else if (held.length < MAX_HELD) {
            held.push(body);
        }
    }

    // --------------------------------------------------------------------- purchase

    let orderAnswer = null;

    async function askOrder() {
        for (const pause of ORDER_PAUSES) {
            await new Promise((resolve) => setTimeout(resolve, pause));
            const abort = new AbortController();
            const timer = setTimeout(() => abort.abort(), ORDER_TIMEOUT);
            try {
                const response = await fetch(config.order, {
                    method: "POST",
                    body: "",
                    cache: "no-store",
                    signal: abort.signal,
                });
                if (response.status === 204) {
                    return {};
                }
                if (response.ok) {
                    return await response.json();
                }
            } catch (_error) {
                // Tried again.
            } finally {
                clearTimeout(timer);
            }
        }
        return null;
    }

    /* Hold a Purchase until the server has said which id its own has. */
    async function passPurchase(args, index, pass) {
        orderAnswer = orderAnswer || askOrder();
        const answer = await orderAnswer;
        if (!answer) {
            orderAnswer = null;
            pass(args);
        } else if (!answer.repeat) {
            pass(withId(args, index, answer.event_id || newId()));
        }
    }

    // ------------------------------------------------------------- the Pixel's calls

    // The last arguments of calls that went through here, so that none does twice.
    const ours = new WeakSet();

    function withId(args, index, id) {
        const changed = Array.from(args);
        changed[index + 1] = changed[index + 1] || {};
        changed[index + 2] = Object.assign({}, changed[index + 2], {eventID: id});
        ours.add(changed[index + 2]);
        return changed;
    }

    /*
     * Return the arguments a call goes on with, or null if `pass` gets them later.
     */
    function intercept(args, pass) {
        const index = NAME_INDEX[args[0]];
        const name = args[index];
        if (!index || !names.has(name) || ours.has(args[index + 2])) {
            return args;
        }
        if (index === 2 && String(args[1]) !== config.pixel) {
            return args;
        }
        if (name === "Purchase") {
            // Without consent the server has no Purchase that this one could be.
            if (!isAccepted()) {
                return withId(args, index, newId());
            }
            passPurchase(args, index, pass).catch(() => {});
            return null;
        }
        const given = args[index + 2] || {};
        const id = String(given.eventID || given.eventId || given.event_id || newId());
        const changed = withId(args, index, id);
        mirror(name, id, args[index + 1]);
        return changed;
    }

    const proxies = new WeakMap();
    const targets = new WeakMap();

    /* Return what stands for the function `fbq`, the same each time. */
    function wrap(fbq) {
        if (typeof fbq !== "function" || targets.has(fbq)) {
            return fbq;
        }
        if (!proxies.has(fbq)) {
            const proxy = new Proxy(fbq, {
                apply(target, self, args) {
                    let changed = args;
                    try {
                        const pass = (late) => Reflect.apply(target, self, late);
                        changed = intercept(args, pass);
                    } catch (_error) {
                        // Passed on untouched.
                    }
                    return changed && Reflect.apply(target, self, changed);
                },
                get(target, key, self) {
                    const value = Reflect.get(target, key, self);
                    return key === "push" || value === target ? wrap(value) : value;
                },
            });
            proxies.set(fbq, proxy);
            targets.set(proxy, fbq);
        }
        rewriteQueue(fbq);
        return proxies.get(fbq);
    }

    /* Treat the calls that wait in a stub like those to come. */
    function rewriteQueue(fbq) {
        const queue = fbq.queue;
        if (!Array.isArray(queue) || fbq.callMethod) {
            return;
        }
        const waiting = queue.splice(0, queue.length);
        for (const args of waiting) {
            let changed = args;
            try {
                changed = intercept(args, (late) => fbq.apply(window, late));
            } catch (_error) {
                // Passed on untouched.
            }
            if (changed) {
                queue.push(changed);
            }
        }
    }

    // What renews the two traps below, and wraps what has escaped them.
    const installs = [];

    function install() {
        installs.forEach(guarded);
    }

    /* See to it that whatever becomes `window[property]` is wrapped. */
    function trap(property) {
        let current;
        const get = () => current;
        const set = function (value) {
            current = value;
            install();
        };
        installs.push(function () {
            const found = Object.getOwnPropertyDescriptor(window, property);
            if (found && !found.configurable) {
                // A global function: it cannot be trapped, but replaced.
                window[property] = wrap(found.value);
                return;
            }
            if (!found || found.get !== get) {
                current = window[property];
                const descriptor = {get, set, configurable: true, enumerable: true};
                Object.defineProperty(window, property, descriptor);
            }
            current = wrap(current);
        });
    }

    trap("fbq");
    trap("_fbq");
    install();
    document.addEventListener("DOMContentLoaded", install);
    window.addEventListener("load", install);

    // ------------------------------------------- the funnel's events, where we make them

    /* Make the standard stub, and load the Pixel as soon as the visitor lets us. */
    function loadPixel() {
        if (!window.fbq) {
            const stub = function () {
                if (stub.callMethod) {
                    stub.callMethod.apply(stub, arguments);
                } else {
                    stub.queue.push(arguments);
                }
            };
            Object.assign(stub, {
                push: stub,
                loaded: true,
                version: "2.0",
                queue: [],
                // One PageView for each page, as the server has it.
                disablePushState: true,
            });
            window.fbq = stub;
            window._fbq = window._fbq || stub;
            const load = function () {
                const pixel = document.createElement("script");
                pixel.async = true;
                pixel.src = "https://connect.facebook.net/en_US/fbevents.js";
                document.head.appendChild(pixel);
            };
            if (isAccepted()) {
                load();
            } else {
                document.addEventListener("optionalCookiesAccepted", load, {once: true});
            }
        }
        window.fbq("init", config.pixel);
    }

    function emit(name, data, id) {
        if (!names.has(name)) {
            return;
        }
        if (config.mode === "load") {
            window.fbq("track", name, data, id ? {eventID: id} : {});
        } else {
            mirror(name, id || newId(), data);
        }
    }

    /* Tell the Pixel of an event that the server records by itself. */
    function emitTwin(name, data, id) {
        const fbq = targets.get(window.fbq) || window.fbq;
        fbq("track", name, data, {eventID: id});
    }

    /* Do it unless it was done in this tab: reloading the checkout is no new one. */
    function once(id, action) {
        try {
            if (id && isAccepted()) {
                const done = JSON.parse(sessionStorage.getItem("meta_capi") || "[]");
                if (done.includes(id)) {
                    return;
                }
                done.push(id);
                sessionStorage.setItem("meta_capi", JSON.stringify(done.slice(-20)));
            }
        } catch (_error) {
            // Without storage the id alone sees to it that Meta counts it once.
        }
        action();
    }

    function emitPage() {
        let isProduct = false;
        for (const element of document.querySelectorAll("[data-meta-capi-event]")) {
            const name = element.dataset.metaCapiEvent;
            const id = element.dataset.metaCapiId;
            const data = JSON.parse(element.dataset.metaCapiData);
            isProduct = isProduct || name === "ViewContent";
            if (name === "AddPaymentInfo") {
                document.addEventListener(
                    "click",
                    function (event) {
                        if (event.target.closest("[name=o_payment_submit_button]")) {
                            once(id, () => emitTwin(name, data, id));
                        }
                    },
                    true
                );
            } else {
                once(id, () => emit(name, data, id));
            }
        }
        // The search goes along in the links to the products it has found.
        const search = new URLSearchParams(location.search).get("search");
        if (search && !isProduct && /\/shop(\/category\/[^/]+)?\/?$/.test(location.pathname)) {
            emit("Search", {search_string: search});
        }
    }

    if (config.mode === "load") {
        guarded(loadPixel);
    }
    if (config.mode !== "page") {
        guarded(() => emit("PageView"));
        document.addEventListener("DOMContentLoaded", () => guarded(emitPage));
    }
})();
