/*
 * Stands in for Meta's fbevents.js: takes over the stub as that does, keeps to
 * `fbq('consent')`, sends each event as an image, once for each pixel, and tells whoever
 * drives the browser of it by `pixelReport`, where that is defined.
 */
(function () {
    const fbq = window.fbq;
    if (!fbq || window._fbq !== fbq || fbq.callMethod) {
        throw new Error("This is no stub that fbevents.js could take over");
    }
    const pixels = [];
    let isRevoked = false;
    let held = [];
    let limits = null;
    const report = (pixel, name, data, options) => {
        const id = (options && options.eventID) || null;
        if (window.pixelReport) {
            window.pixelReport(JSON.stringify({pixel, name, data, id, limits}));
        }
        const query = new URLSearchParams({id: pixel});
        if (typeof name === "string") {
            query.set("ev", name);
        }
        if (id) {
            query.set("eid", id);
        }
        new Image().src = `https://www.facebook.com/tr/?${query}`;
    };
    const track = function (command, ...args) {
        if (command === "init") {
            pixels.push(args[0]);
            // What it makes by itself does not pass by `fbq`.
            report(args[0], "Microdata", {}, {});
        } else if (/^trackSingle/.test(command)) {
            report(...args);
        } else if (/^track/.test(command)) {
            pixels.forEach((pixel) => report(pixel, ...args));
        }
    };
    fbq.callMethod = function (command, ...args) {
        if (command === "consent") {
            isRevoked = args[0] === "revoke";
        } else if (command === "dataProcessingOptions") {
            limits = args;
        } else {
            held.push([command, ...args]);
        }
        if (!isRevoked) {
            held.splice(0).forEach((call) => track(...call));
        }
    };
    while (fbq.queue.length) {
        fbq.callMethod.apply(fbq, fbq.queue.shift());
    }
})();
