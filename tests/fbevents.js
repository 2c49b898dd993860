/*
 * Stands in for Meta's fbevents.js: takes over the stub as that does, and tells the test,
 * by `pixelReport`, of each event that would go out, once for each pixel.
 */
(function () {
    const fbq = window.fbq;
    if (!fbq || window._fbq !== fbq || fbq.callMethod) {
        throw new Error("This is no stub that fbevents.js could take over");
    }
    const pixels = [];
    const report = (pixel, name, data, options) =>
        window.pixelReport(
            JSON.stringify({pixel, name, data, id: (options && options.eventID) || null})
        );
    fbq.callMethod = function (command, ...args) {
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
    while (fbq.queue.length) {
        fbq.callMethod.apply(fbq, fbq.queue.shift());
    }
})();
