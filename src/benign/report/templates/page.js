"use strict";
(function () {
  const items = JSON.parse(document.getElementById("plots").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const views = [];
  document.documentElement.classList.add("js");
  function paint(model) {
    const ink = dark.matches ? "#d0d0d0" : "#595959";
    for (const axis of [...model.below, ...model.left]) {
      axis.setv({ axis_label_text_color: ink, major_label_text_color: ink });
    }
  }
  for (const name of Object.keys(items)) {
    Bokeh.embed.embed_item(items[name], name).then(function (manager) {
      for (const view of manager) {
        views.push(view.model);
        paint(view.model);
      }
    });
  }
  dark.addEventListener("change", function () { views.forEach(paint); });
})();
