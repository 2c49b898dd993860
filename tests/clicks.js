// What a person does in the back office, on Odoo 17 to 19 alike.

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Return what `find` finds, as soon as it does. */
async function until(what, find) {
    for (let tries = 0; tries < 200; tries++) {
        const found = find();
        if (found) {
            return found;
        }
        await pause(100);
    }
    throw new Error(`Not there: ${what}\n${document.body.innerText.slice(0, 3000)}`);
}

const isShown = (element) => element.offsetParent !== null;

/** Return the elements that can be clicked: those of the dialog that is on top. */
function shown(selector) {
    const dialogs = [...document.querySelectorAll(".modal .modal-content")];
    const root = dialogs.filter(isShown).pop() || document;
    return [...root.querySelectorAll(selector)].filter(isShown);
}

const text = (element) => element.textContent.trim();

async function click(selector, label) {
    const what = `${selector} ${label || ""}`;
    const match = (element) => !label || text(element) === label;
    const element = await until(what, () => shown(selector).find(match));
    element.scrollIntoView({ block: "nearest" });
    element.click();
    await pause(100);
}

const inField = (name, selector) =>
    until(name, () => shown(`.o_field_widget[name="${name}"] :is(${selector})`)[0]);

function enter(input, value) {
    const prototype = Object.getPrototypeOf(input);
    Object.getOwnPropertyDescriptor(prototype, "value").set.call(input, value);
    input.dispatchEvent(new InputEvent("input", { bubbles: true }));
}

async function write(name, value) {
    const input = await inField(name, "input, textarea");
    enter(input, value);
    input.dispatchEvent(new Event("change", { bubbles: true }));
    await pause(100);
}

/** Choose what is called `label`, from a list of whatever kind. */
async function choose(name, label) {
    const input = await inField(name, "select, input");
    if (input.tagName === "SELECT") {
        const isIt = (option) => text(option) === label;
        const option = await until(label, () => [...input.options].find(isIt));
        input.value = option.value;
        input.dispatchEvent(new Event("change", { bubbles: true }));
    } else {
        input.focus();
        input.click();
        enter(input, label);
        const items = ".o-autocomplete--dropdown-item, .o_select_menu_item";
        const item = await until(label, () =>
            [...document.querySelectorAll(items)].find(
                (each) => isShown(each) && text(each) === label
            )
        );
        (item.querySelector("a") || item).click();
    }
    await pause(300);
}

/** Return the text of what is selected, once that matches. */
async function see(selector, pattern) {
    const shows = (element) => pattern.test(element.textContent);
    return text(
        await until(`${selector} ${pattern}`, () => shown(selector).find(shows))
    );
}

/** Return what a field shows, once that matches. */
const read = (name, pattern) => see(`.o_field_widget[name="${name}"]`, pattern);

async function openApp(app) {
    await click(".o_navbar_apps_menu button");
    await click(".o_app", app);
}
