// The theme that was chosen, before anything is drawn. Where the browser keeps nothing for files, it is the system's.
(() => {
  try {
    const theme = localStorage.getItem("editbench.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* no storage */ }
})();
