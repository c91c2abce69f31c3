(() => {
  const page = document.getElementById("figures");
  const follow = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(page.dataset.source, { cache: "no-store" });
      if (!answer.ok) return;
      const now = await answer.json();
      if (!now.online) location.replace(page.dataset.refresh);
      for (const name in now.figures) {
        const place = document.getElementById(name);
        if (place) place.textContent = now.figures[name];
      }
    } catch { }
  };
  setInterval(follow, 30000);
  document.addEventListener("visibilitychange", follow);
})();
