// Gives the Meta Pixel's calls an eventID and tells the server of them; never breaks one:
// docs/what-leaves-your-shop.md.
(function () {
    "use strict";

    const script = document.currentScript;
    if (!script || window.metaCapi) {
        return;
    }
    const api = {consent: (yes) => answer("page", yes === true)};
    Object.defineProperty(window, "metaCapi", {value: Object.freeze(api)});

    const config = script.dataset;
    const isLoader = config.mode === "load";
    const isExternal = config.consent === "external";
    const names = new Set(config.events.split(","));
    const NAME_INDEX = {track: 1, trackCustom: 1, trackSingle: 2, trackSingleCustom: 2};
    const MAX_HELD = 50;
    const MAX_ID_LENGTH = 100;
    const MAX_SIZE = 16384;
    // Milliseconds, for our server.
    const PATIENCE = 1000;
    const STORAGE = "meta_capi";
    const CONSENT = "/meta_capi/consent";

    function guarded(action) {
        try {
            action();
        } catch (_error) {
        }
    }

    function on(source, type, action) {
        source.addEventListener(type, () => guarded(action));
    }

    const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

    function cookie(name) {
        return (new RegExp(`(?:^|;\\s*)${name}=([^;]*)`).exec(document.cookie) || [])[1];
    }

    // An answer is true, false, or null: asked, not answered yet.
    const ANSWER = "meta_capi_consent";
    const ANSWERS = {1: true, 0: false, "-": null, undefined: !isExternal || null};
    const said = {};
    let isPainted = false;
    let isRefused = false;
    let held = [];
    const waiting = [];

    function strictest(answers) {
        return [false, null, true].find((answer) => answers.includes(answer));
    }

    function barAnswer() {
        if (!config.bar) {
            return;
        }
        let bar = null;
        guarded(() => (bar = JSON.parse(decodeURIComponent(cookie("website_cookies_bar")))));
        bar = bar && typeof bar.optional === "boolean" ? bar.optional : null;
        return isExternal && bar !== false ? undefined : bar;
    }

    function consent() {
        const now = strictest(Object.values(said));
        const mine = now === undefined ? ANSWERS[cookie(ANSWER)] : now;
        return document.prerendering ? null : strictest([mine, barAnswer()]);
    }

    /* An earlier page's answer holds unless a tool of this one takes it back. */
    function isAccepted() {
        const isEarly = isExternal && document.readyState === "loading";
        return isPainted && consent() === true && !isEarly;
    }

    function keepAnswer() {
        const value = {true: 1, false: 0, null: "-"}[strictest(Object.values(said))];
        if (value !== undefined && !document.prerendering) {
            const age = value === "-" && isExternal ? 0 : 15552000;
            document.cookie = `${ANSWER}=${value};path=/;max-age=${age};samesite=lax`;
        }
    }

    function review() {
        keepAnswer();
        const wasRefused = isRefused;
        const now = consent();
        const isYes = now && isAccepted();
        isRefused = now === false;
        if (isYes) {
            guarded(startPixel);
            held.splice(0).forEach(send);
            guarded(report);
        } else if (now !== true) {
            guarded(stopPixel);
        }
        if (isYes || isRefused) {
            waiting.splice(0).forEach((go) => go());
        }
        if (isRefused && !wasRefused) {
            held = [];
            sent.length = 0;
            cookies = null;
            guarded(() => sessionStorage.removeItem(STORAGE));
            if (cookie("_fbp") || cookie("_fbc")) {
                post(CONSENT, "");
            }
        }
    }

    function answer(tool, value) {
        said[tool] = value;
        guarded(review);
    }

    const watched = new WeakSet();
    const google = {};

    function readGoogle([command, action, types]) {
        if (command !== "consent") {
            return;
        }
        for (const type of ["ad_storage", "ad_user_data"]) {
            const value = types[type];
            // For which region a default is, only Google knows.
            if (value === "denied" || (value && !types.region)) {
                google[type] = value === "granted" || (action === "update" ? false : null);
            }
        }
        const answers = [google.ad_storage, google.ad_user_data];
        const found = strictest(answers);
        if (found === false || found === null || !answers.includes(undefined)) {
            answer("google", found);
        }
    }

    function watchLayer(layer) {
        if (Array.isArray(layer) && !watched.has(layer)) {
            watched.add(layer);
            const push = layer.push;
            const read = (entry) => guarded(() => readGoogle(Array.from(entry)));
            layer.push = function (...entries) {
                entries.forEach(read);
                return push.apply(layer, entries);
            };
            layer.forEach(read);
        }
        return layer;
    }

    function readTcf({eventStatus, gdprApplies, purpose}) {
        if (/^(tcloaded|useractioncomplete)$/.test(eventStatus)) {
            const {consents, legitimateInterests = {}} = purpose || {consents: {}};
            const isAllowed =
                [1, 3, 4].every((number) => consents[number]) &&
                (consents[7] || legitimateInterests[7]);
            answer("tcf", gdprApplies === false || Boolean(isAllowed));
        } else if (said.tcf === undefined) {
            answer("tcf", null);
        }
    }

    function watchTcf(tcf) {
        if (typeof tcf === "function" && !watched.has(tcf)) {
            watched.add(tcf);
            tcf("addEventListener", 2, (data) => guarded(() => readTcf(data)));
        }
        return tcf;
    }

    for (const type of ["optionalCookiesAccepted", "optionalCookiesDenied"]) {
        on(document, type, review);
        // Odoo may write its cookie after that.
        on(document, type, () => setTimeout(review));
    }
    on(document, "prerenderingchange", review);

    let limits = [];
    let cookies = null;

    function newId() {
        try {
            return crypto.randomUUID();
        } catch (_error) {
            const random = () => Math.random().toString(36).slice(2, 12);
            return `${Date.now().toString(36)}-${random()}${random()}`;
        }
    }

    function request(path, body) {
        return fetch(path, {method: "POST", cache: "no-store", keepalive: true, body});
    }

    function post(path, body) {
        let isTaken = false;
        guarded(() => (isTaken = navigator.sendBeacon(path, body)));
        if (!isTaken) {
            request(path, body).catch(() => {});
        }
    }

    /* Have the server set the cookies that all events share. */
    function fetchCookies() {
        let click = "";
        guarded(function () {
            const visit = navigation.entries().map((page) => page.url);
            click = /[?&]fbclid=[^&#\s]+/.exec(visit.reverse().join(" "))[0].slice(1);
        });
        const answered = request(`${CONSENT}?${click}`, "");
        return Promise.race([answered, pause(PATIENCE)]).catch(() => {});
    }

    async function send(body) {
        if (!cookie("_fbp")) {
            cookies = cookies || fetchCookies();
            await cookies;
        }
        post(config.collect, body);
    }

    /* Of what is too long for our server, the page and the click on the ad. */
    function short(url) {
        const [page] = url.split("#");
        const [click] = /[?&]fbclid=[^&]+/.exec(page) || [""];
        return page.length < 4096 ? page : page.split("?")[0] + click.replace("&", "?");
    }

    function mirror(name, id, data) {
        const payload = {
            event_name: name,
            event_id: id,
            event_source_url: short(location.href),
            referrer_url: short(document.referrer),
            data_processing_options: limits[0],
            data_processing_options_country: limits[1],
            data_processing_options_state: limits[2],
        };
        let body = JSON.stringify(payload);
        if (data && typeof data === "object" && !Array.isArray(data)) {
            guarded(function () {
                const full = JSON.stringify({...payload, custom_data: data});
                body = new TextEncoder().encode(full).length > MAX_SIZE ? body : full;
            });
        }
        if (id.length > MAX_ID_LENGTH) {
            return;
        }
        if (isAccepted()) {
            send(body);
        } else if (!isRefused && held.length < MAX_HELD) {
            held.push(body);
        }
    }

    let orderAnswer = null;

    async function askOrder() {
        for (const time of [0, PATIENCE / 3]) {
            await pause(time);
            const response = await request(config.order, "").catch(() => ({}));
            if (response.ok) {
                return response.status === 204 ? {} : response.json();
            }
        }
        return null;
    }

    function readOrder() {
        const element = document.querySelector("[data-meta-capi-order]") || script;
        const {metaCapiOrder: event_id, metaCapiUntil: until} = element.dataset;
        return Date.now() < until && {event_id};
    }

    /* Hold a Purchase until the server has said the id of its own. */
    async function passPurchase(args, index, pass) {
        if (!isAccepted()) {
            await new Promise((resolve) => waiting.push(resolve));
        }
        if (isRefused) {
            return !isLoader && pass(args);
        }
        orderAnswer = orderAnswer || Promise.race([askOrder(), pause(PATIENCE)]);
        const order = (await orderAnswer) || readOrder();
        if (!order) {
            orderAnswer = null;
            return pass(args);
        }
        return order.repeat || pass(withId(args, index, order.event_id || newId()));
    }

    const TR = "https://www.facebook.com/tr";
    const given = new Map();
    let probe = null;

    function give(name, id) {
        given.set(id, [name, performance.now()]);
    }

    const sent = [];

    function report() {
        if (sent.length && isAccepted()) {
            const body = JSON.stringify(sent.splice(0, 100));
            // Blocked ones look the same.
            probe = probe || fetch(`${TR}/?`, {method: "HEAD", mode: "no-cors"});
            probe.then(() => post("/meta_capi/sent", body)).catch(() => {});
        }
    }

    function readEntries(list) {
        for (const {name: url, startTime, serverTiming} of list.getEntries()) {
            if (url.startsWith(TR)) {
                const id = new URL(url).searchParams.get("eid");
                for (const [key, [name, time]] of given) {
                    // Long ones have their id in the body.
                    const isHidden = !url.includes("?") && time < startTime;
                    if (id === key || isHidden) {
                        sent.push([name, key]);
                        given.delete(key);
                    }
                }
            } else if (url.startsWith(location.origin)) {
                (serverTiming || []).forEach((item) => guarded(() => readTwins(item)));
            }
        }
        report();
    }

    function watchEntries() {
        const observer = new PerformanceObserver((list) => guarded(() => readEntries(list)));
        for (const type of ["navigation", "resource"]) {
            observer.observe({type, buffered: true});
        }
    }

    // The options of calls that went through here.
    const ours = new WeakSet();
    let isInitialised = false;

    function withId(args, index, id) {
        const options = {...args[index + 2], eventID: id};
        const changed = Array.from(args);
        changed[index + 1] = changed[index + 1] || {};
        changed[index + 2] = options;
        ours.add(options);
        give(args[index], id);
        return changed;
    }

    /* Return what a call goes on with, or null: `pass` may get it later. */
    function intercept(args, pass) {
        const [command, option] = args;
        if (command === "consent" && (option === "grant" || option === "revoke")) {
            // What a page begins with is no answer.
            const isAnswer = said.fbq || document.readyState !== "loading";
            answer("fbq", option === "grant" || (isAnswer ? false : null));
        } else if (command === "dataProcessingOptions") {
            if (config.ldu && !option.includes("LDU")) {
                return null;
            }
            limits = Array.from(args).slice(1);
        } else if (command === "init" && isLoader && String(option) === config.pixel) {
            const isRepeated = isInitialised;
            isInitialised = true;
            return isRepeated ? null : args;
        }
        const index = NAME_INDEX[command];
        const name = args[index];
        if (!index || !names.has(name) || ours.has(args[index + 2])) {
            return args;
        }
        if (index === 2 && String(option) !== config.pixel) {
            return args;
        }
        if (isLoader && isRefused) {
            return null;
        }
        if (name === "Purchase") {
            // The server has none that this could be.
            if (!isLoader && !document.prerendering && !consent()) {
                return withId(args, index, newId());
            }
            passPurchase(args, index, pass).catch(() => {});
            return null;
        }
        const {eventID, eventId, event_id} = args[index + 2] || {};
        const id = String(eventID || eventId || event_id || newId());
        mirror(name, id, args[index + 1]);
        return withId(args, index, id);
    }

    const proxies = new WeakMap();
    const targets = new WeakMap();

    function wrap(fbq) {
        if (typeof fbq !== "function" || targets.has(fbq)) {
            return fbq;
        }
        if (!proxies.has(fbq)) {
            const proxy = new Proxy(fbq, {
                apply(target, self, args) {
                    let changed = args;
                    const pass = (late) => Reflect.apply(target, self, late);
                    guarded(() => (changed = intercept(args, pass)));
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

    function rewriteQueue(fbq) {
        const queue = fbq.queue;
        if (!Array.isArray(queue) || fbq.callMethod) {
            return;
        }
        const waiting = queue.splice(0, queue.length);
        for (const args of waiting) {
            let changed = args;
            guarded(() => (changed = intercept(args, (late) => fbq.apply(window, late))));
            if (changed) {
                queue.push(changed);
            }
        }
    }

    const installs = [];

    function install() {
        installs.forEach(guarded);
    }

    /* Wrap whatever becomes `window[property]`. */
    function trap(property, wrap) {
        let current;
        const get = () => current;
        const set = function (value) {
            current = value;
            install();
        };
        installs.push(function () {
            const found = Object.getOwnPropertyDescriptor(window, property);
            if (found && !found.configurable) {
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

    trap("fbq", wrap);
    trap("_fbq", wrap);
    trap("dataLayer", watchLayer);
    trap("__tcfapi", watchTcf);
    install();
    on(window, "load", install);

    let pixel = null;
    let isStopped = false;

    function makeStub() {
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
                disablePushState: true,
            });
            window.fbq = stub;
            window._fbq = window._fbq || stub;
            pixel = document.createElement("script");
            pixel.async = true;
        }
        if (config.ldu) {
            const place = config.ldu.split(",").map(Number);
            window.fbq("dataProcessingOptions", ["LDU"], ...place);
        }
        if (!isInitialised) {
            window.fbq("init", config.pixel);
        }
    }

    function target() {
        return targets.get(window.fbq) || window.fbq;
    }

    function startPixel() {
        if (pixel && !pixel.src) {
            pixel.src = "https://connect.facebook.net/en_US/fbevents.js";
            document.head.appendChild(pixel);
        }
        if (isStopped) {
            isStopped = false;
            target()("consent", "grant");
        }
    }

    /* After a no, what the Pixel has not sent is not sent later, either. */
    function stopPixel() {
        const {queue} = target();
        if (pixel && isRefused) {
            queue.splice(0).forEach((args) => NAME_INDEX[args[0]] || queue.push(args));
        }
        if (pixel && pixel.src && !isStopped) {
            isStopped = true;
            target()("consent", "revoke");
        }
    }

    function emit(name, data, id) {
        if (!names.has(name)) {
            return;
        }
        if (isLoader) {
            window.fbq("track", name, data, id ? {eventID: id} : {});
        } else {
            mirror(name, id || newId(), data);
        }
    }

    /* Tell only the Pixel: the server has it. */
    function emitTwin(name, data, id) {
        if (!isRefused) {
            give(name, id);
            target()("track", name, data, {eventID: id});
        }
    }

    function readTwins(item) {
        if (item.name !== STORAGE) {
            return;
        }
        for (const {name, data, id} of JSON.parse(decodeURIComponent(item.description))) {
            if (!id) {
                // Not yet answered: the server has made none.
                emit(name, data);
            } else if (isLoader) {
                once(id, () => emitTwin(name, data, id));
            }
        }
    }

    function once(id, action) {
        let isDone = false;
        if (id && isAccepted()) {
            guarded(function () {
                const done = JSON.parse(sessionStorage.getItem(STORAGE) || "[]");
                isDone = done.includes(id);
                sessionStorage.setItem(STORAGE, JSON.stringify([...done, id].slice(-20)));
            });
        }
        return isDone || action();
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
        // The links to what was found have it, too.
        const search = new URLSearchParams(location.search).get("search");
        if (search && !isProduct && /\/shop(\/category\/[^/]+)?\/?$/.test(location.pathname)) {
            emit("Search", {search_string: search});
        }
    }

    /* Do what can wait for the first paint. */
    function begin() {
        if (!isPainted) {
            isPainted = true;
            guarded(watchEntries);
            guarded(review);
            if (config.mode !== "page") {
                guarded(() => emit("PageView"));
                guarded(emitPage);
            }
        }
    }

    function beginSoon() {
        install();
        const soon = () => setTimeout(begin);
        // The first frame is on the screen with the second; there may be none.
        requestAnimationFrame(() => requestAnimationFrame(soon));
        setTimeout(soon, PATIENCE);
    }

    if (isLoader) {
        guarded(makeStub);
        guarded(review);
    }
    on(window, "pagehide", function () {
        // No time to ask.
        cookies = cookies || true;
        begin();
    });
    on(window, "pageshow", function () {
        // A page that comes back has the time.
        cookies = cookies === true ? null : cookies;
    });
    on(document, "DOMContentLoaded", beginSoon);
    if (document.readyState !== "loading") {
        beginSoon();
    }
})();
