// The theme that the reader has chosen, before anything is painted. app.js has the button for it.
{
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
