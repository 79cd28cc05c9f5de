"use strict";
/* The colours of the page: as the system has them, or as the reader chose; kept in this browser alone. */
const Theme = (() => {
  const KEY = "xtalcodec-theme";
  const put = (choice) => {
    if (choice) document.documentElement.dataset.theme = choice;
    else delete document.documentElement.dataset.theme;
  };
  const kept = () => { try { return localStorage.getItem(KEY) || ""; } catch { return ""; } };
  put(kept());
  const dark = () => (kept() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const turn = () => {
    const choice = dark() ? "light" : "dark";
    try { localStorage.setItem(KEY, choice); } catch { /* a browser that keeps nothing forgets it */ }
    put(choice);
    dispatchEvent(new Event("xtalcodec-theme"));
  };
  return { turn };
})();

/* A page that is closed or left says so, and its work ends at once. */
addEventListener("pagehide", () => {
  const address = document.querySelector('meta[name="left"]')?.content;
  if (address) navigator.sendBeacon(address);
});
