const graph = document.getElementById("graph"), said = document.getElementById("said");
const blocks = [...graph.children].map(e => ({ e, d: +e.dataset.d, x: +e.dataset.x, w: +e.dataset.w }));
const height = 24, slack = 1e-5;
graph.style.height = rows * height + "px";
function show(x, w, depth) {
  for (const b of blocks) {
    const around = b.d < depth && b.x <= x + slack && b.x + b.w >= x + w - slack;
    const left = around ? 0 : (b.x - x) / w, width = around ? 1 : b.w / w;
    b.e.hidden = left < -slack || left + width > 1 + slack * 10 || width < 0.0005;
    b.e.style.display = b.e.hidden ? "none" : "";
    b.e.style.left = left * 100 + "%";
    b.e.style.width = width * 100 + "%";
    b.e.style.top = (b.d - 1) * height + "px";
    b.e.classList.toggle("o", around);
  }
}
show(0, 1, 0);
graph.addEventListener("click", event => {
  const b = blocks.find(b => b.e === event.target);
  if (!b) return;
  said.textContent = b.e.title;
  if (b.e.classList.contains("o") && b.d === 1) show(0, 1, 0); else show(b.x, b.w, b.d);
});
graph.addEventListener("mouseover", event => { if (event.target.title) said.textContent = event.target.title; });
