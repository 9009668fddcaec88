// What the pages need beyond htmx. All pages work without it, but for copying, the theme, and choosing all of a list at once.
"use strict";

(() => {
  const root = document.documentElement;

  // theme.js has shown the stored theme already.
  const themes = ["system", "light", "dark"];
  const showTheme = (theme) => {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-action=theme]")) {
      button.textContent = `Theme: ${theme}`;
    }
  };
  const storedTheme = () => {
    const stored = localStorage.getItem("theme");
    return themes.includes(stored) ? stored : "system";
  };
  showTheme(storedTheme());

  // Browsers give the clipboard to pages by HTTPS and from the same machine alone. Elsewhere the text is selected and copied.
  const copyText = async (element) => {
    try {
      await navigator.clipboard.writeText(element.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(element);
      return document.execCommand("copy");
    }
  };

  const actions = {
    theme() {
      const next = themes[(themes.indexOf(storedTheme()) + 1) % themes.length];
      localStorage.setItem("theme", next);
      showTheme(next);
    },
    menu(button) {
      button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
    },
    choose({ form }) {
      const fields = [...form.elements].filter(({ type }) => type === "checkbox");
      const isChosen = !fields.every(({ checked }) => checked);
      for (const field of fields) field.checked = isChosen;
    },
    async copy(button) {
      const isCopied = await copyText(document.getElementById(button.dataset.of));
      button.dataset.label ??= button.textContent;
      button.textContent = isCopied ? "Copied" : "Press Ctrl+C";
      setTimeout(() => button.textContent = button.dataset.label, 1500);
    },
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (button !== null) actions[button.dataset.action]?.(button);
  });

  // The link's address has no query, so that following it would load another page.
  document.querySelector(".skip")?.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });

  // Escape closes the menu of a narrow window, and the focus goes back to its button.
  document.addEventListener("keydown", ({ key }) => {
    const menu = document.querySelector(".menu-button[aria-expanded=true]");
    if (key !== "Escape" || menu === null) return;
    menu.setAttribute("aria-expanded", "false");
    menu.focus();
  });

  // What is chosen among what a search has found stays when something else is searched for.
  const keepChosen = (field) => {
    const chosen = field.closest(".picker").querySelector("[data-chosen]");
    const known = [...chosen.querySelectorAll("input")].find(({ value }) => value === field.value);
    if (known === undefined) chosen.append(field.closest("label"));
    else known.checked = true;
  };
  document.addEventListener("change", ({ target }) => {
    if (target.type !== "checkbox" || !target.checked || target.closest("[data-found]") === null) return;
    keepChosen(target);
    target.closest(".picker").querySelector("input[type=search]").focus();
  });
  // Arrow keys go from one radio button to the next, so that these stay in their place until a search replaces them.
  document.addEventListener("htmx:before:swap", ({ target }) => {
    for (const field of target.closest?.(".picker")?.querySelectorAll("[data-found] :checked") ?? []) {
      keepChosen(field);
    }
  });

  // The address names the filters of a list, so that a reload, a copied address and the way back show the same list.
  document.addEventListener("htmx:after:swap", ({ detail }) => {
    const form = detail.ctx.sourceElement.closest?.(".filters") ?? null;
    if (form === null) return;
    const asked = new URLSearchParams(location.search);
    for (const name of ["page", ...[...form.elements].map(({ name }) => name)]) asked.delete(name);
    for (const [name, value] of new FormData(form)) if (value !== "") asked.append(name, value);
    history.replaceState(history.state, "", location.pathname + (asked.size === 0 ? "" : `?${asked}`));
  });

  // Enter in a search for something to choose must not send the form around it.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches(".picker input[type=search]")) event.preventDefault();
  });

  // What was given to a tool stays in this tab alone, until somebody signs out. Fields that the server has filled keep their values.
  if (document.querySelector(".side") === null) sessionStorage.clear();
  for (const form of document.querySelectorAll("form[data-remembered]")) {
    const key = form.dataset.remembered;
    const stored = JSON.parse(sessionStorage.getItem(key) ?? "{}");
    const wasSent = document.getElementById("result") !== null ||
      form.querySelector("[aria-invalid]") !== null;
    for (const field of form.elements) {
      if (!wasSent && field.name && field.name in stored) field.value = stored[field.name];
    }
    form.addEventListener("submit", () => {
      try {
        sessionStorage.setItem(key, JSON.stringify(Object.fromEntries(new FormData(form))));
      } catch {
        // The tab has no room for them.
      }
    });
  }

  // A list that grows at its head while one looks forgets its end.
  for (const list of document.querySelectorAll("[data-most]")) {
    new MutationObserver(() => {
      while (list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
    }).observe(list, { childList: true });
  }

  /** Forms that the gateway takes: they are being sent. */
  const checked = new WeakSet();

  // A button that loses something asks first. The dialog's Cancel has the focus, and Escape answers the same.
  const dialog = document.getElementById("confirmation");
  let asking = null;
  document.addEventListener("submit", (event) => {
    const { submitter } = event;
    if (submitter?.dataset.confirm === undefined || submitter === asking || checked.has(event.target)) return;
    event.preventDefault();
    asking = submitter;
    document.getElementById("confirmation-question").textContent = submitter.dataset.confirm;
    document.getElementById("confirmation-loss").textContent = submitter.dataset.loss;
    dialog.querySelector("[value=yes]").textContent = submitter.textContent;
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog?.addEventListener("close", () => {
    if (dialog.returnValue === "yes") {
      // A part of the page that was renewed meanwhile has another form in this one's place.
      if (!asking.isConnected) document.body.append(asking.form);
      asking.form.requestSubmit(asking);
    }
    asking = null;
  });

  // A one-time token comes behind the #, which browsers send to nobody.
  const setupToken = document.querySelector("input[data-from-hash]");
  const takeToken = () => {
    if (setupToken === null || location.hash.length <= 1) return;
    setupToken.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
  };
  takeToken();
  // Another link, opened where the page is open already.
  globalThis.addEventListener("hashchange", takeToken);

  // What goes wrong with requests that the page itself makes is said in one place, for whatever has asked last. It goes when that works.
  const box = document.getElementById("trouble");
  const SIGNED_OUT = "signed out";
  const troubles = new Map();
  let shown = "";
  const show = () => {
    const words = [...troubles.values()].findLast((trouble) => trouble.words !== "")?.words ?? "";
    if (box === null || words === shown) return;
    shown = words;
    box.textContent = words;
    if (words === SIGNED_OUT) {
      box.replaceChildren(document.getElementById("signed-out").content.cloneNode(true));
    }
  };
  const isLive = (element) => element.matches?.("[hx-trigger*=every]");
  const settle = (element, trouble) => {
    for (const each of troubles.keys()) {
      if (each === element || !each.isConnected || !isLive(each)) troubles.delete(each);
    }
    if (trouble !== undefined) troubles.set(element, trouble);
    show();
  };
  const fail = async (element, words) => {
    const trouble = { words: troubles.get(element)?.words ?? "" };
    settle(element, trouble);
    trouble.words = await words;
    show();
  };

  // Each failure that the gateway answers has a correlation id. Others are those of a proxy in front of it.
  const isOwn = (response) => response.headers.has("x-correlation-id");
  const wordsOf = async (response, element) => {
    const page = isOwn(response) ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
    const words = page?.querySelector("p")?.textContent;
    if (words === undefined) return box.dataset.unanswered;
    return isLive(element) ? `${words} ${box.dataset.live}` : words;
  };
  // What was typed into a form stays, and the page says how it is sent after all. Any other page is replaced by the sign-in.
  const failBy = (element, response) => {
    if (response.status !== 401) fail(element, wordsOf(response, element));
    else if (document.querySelector("main form.form, main form[aria-busy]") !== null) {
      fail(element, SIGNED_OUT);
    } else location.reload();
  };

  // A failure replaces neither a part that renews itself nor the list of a search. What a button has asked for shows its failure itself.
  document.addEventListener("htmx:before:response", (event) => {
    const { sourceElement, response: { raw }, request } = event.detail.ctx;
    if (raw.ok || raw.status !== 401 && isOwn(raw) && request.method === "POST") return settle(sourceElement);
    event.preventDefault();
    failBy(sourceElement, raw);
  });
  document.addEventListener("htmx:error", ({ target }) => fail(target, box.dataset.unanswered));

  // A stream that ends is opened anew by its trigger, after the last event that the page has.
  document.addEventListener("htmx:sse:after:connection", ({ target }) => settle(target));
  document.addEventListener("htmx:sse:after:message", ({ target, detail }) => {
    target.dataset.lastEvent = detail.message.id;
  });
  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    const { lastEvent } = ctx.sourceElement.dataset;
    if (lastEvent) ctx.request.headers["Last-Event-ID"] = lastEvent;
  });
  document.addEventListener("htmx:sse:error", ({ target, detail }) => {
    if (detail.status === undefined) fail(target, box.dataset.unanswered);
  });

  // A form is sent once: a second press while the answer is awaited would do the same again. The pause ends in case nothing is answered.
  const LONGEST_PAUSE_MS = 10_000;
  const resume = (form) => form.removeAttribute("aria-busy");
  // Not for longer than the pause: a form that is sent once more would be sent twice when the gateway answers again.
  const askSession = () =>
    fetch("session", {
      headers: { "HX-Request": "true" },
      signal: AbortSignal.timeout(LONGEST_PAUSE_MS),
    });
  // It is sent when the gateway answers and knows who sends it. Otherwise it stays as it was filled in.
  const send = async (form, submitter) => {
    try {
      const response = await askSession();
      if (!response.ok) {
        failBy(form, response);
        return resume(form);
      }
      settle(form);
      // A part of the page that was renewed meanwhile has another form in this one's place.
      if (!form.isConnected) document.body.append(form);
      checked.add(form);
      form.requestSubmit(submitter);
    } catch {
      fail(form, box.dataset.unanswered);
      resume(form);
    } finally {
      checked.delete(form);
    }
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post" || checked.has(form)) return;
    if (form.hasAttribute("aria-busy")) return event.preventDefault();
    form.setAttribute("aria-busy", "true");
    setTimeout(resume, LONGEST_PAUSE_MS, form);
    if (box === null) return;
    event.preventDefault();
    send(form, event.submitter);
  });
  // The way back may show the page as it was left.
  globalThis.addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(resume));
  // A user who has signed in in another tab comes back.
  document.addEventListener("visibilitychange", async () => {
    if (document.hidden || shown !== SIGNED_OUT) return;
    const response = await askSession().catch(() => null);
    if (response?.ok) settle(document);
  });
})();
