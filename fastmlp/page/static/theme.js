// Light or dark before anything is painted: as the link says, else as chosen here before, else as the notebook around is, else
// as the system is.

(() => {
  const asked = new URLSearchParams(location.hash.slice(1)).get("theme");
  let kept = null;
  try {
    kept = localStorage.getItem("fastmlp-theme");
  } catch {
    // A browser that keeps nothing follows the system.
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const root = document.documentElement.dataset;
  root.theme = [asked, kept, root.theme].find((t) => t === "light" || t === "dark") ?? (dark ? "dark" : "light");
})();
