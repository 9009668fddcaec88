// What the pages need beyond htmx. All pages work without it, but for copying, the theme, and choosing all of a list at once.
"use strict";

(() => {
  const root = document.documentElement;

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
      const text = document.getElementById(button.dataset.of).textContent;
      await navigator.clipboard.writeText(text);
      const label = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => button.textContent = label, 1500);
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

  // A button that loses something asks first. The dialog's Cancel has the focus, and Escape answers the same.
  const dialog = document.getElementById("confirmation");
  let asking = null;
  document.addEventListener("submit", (event) => {
    const { submitter } = event;
    if (submitter?.dataset.confirm === undefined || submitter === asking) return;
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

  // A call to which nobody is signed in any more is answered with the sign-in page.
  document.addEventListener("htmx:after:request", ({ detail }) => {
    if (detail?.ctx?.response?.raw?.status === 401) location.reload();
  });
})();
