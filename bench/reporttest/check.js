(unfold) => {
  if (unfold) {
    for (const d of document.querySelectorAll('details')) d.open = true;
    for (const f of document.querySelectorAll('.fold')) f.checked = true;
  }
  const f = {Texts: 0, Overlaps: [], Cut: [], Over: [], Legends: [], Tables: 0, Folded: 0, Groups: 0,
    Wide: document.documentElement.scrollWidth - innerWidth};
  const name = n => JSON.stringify(n.textContent.trim().slice(0, 60));

  // Every line of every piece of text that is seen.
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; (n = walker.nextNode());) {
    const parent = n.parentElement;
    if (!n.textContent.trim() || !parent.checkVisibility() || parent.closest('title,style')) continue;
    f.Texts++;
    const drawing = parent.closest('svg');
    const frame = drawing && drawing.getBoundingClientRect();
    const scrolls = parent.closest('.wide');
    const range = document.createRange();
    range.selectNodeContents(n);
    for (const r of range.getClientRects()) {
      if (r.width < 1 || r.height < 1) continue;
      const b = {l: r.left, r: r.right, t: r.top + scrollY, b: r.bottom + scrollY, n, scrolls};
      // A font's box is higher than its letters.
      const slack = (b.b - b.t) * 0.2;
      b.t += slack; b.b -= slack;
      boxes.push(b);
      if (frame && (r.left < frame.left - 1 || r.right > frame.right + 1 || r.top + slack < frame.top - 1 || r.bottom - slack > frame.bottom + 1)) f.Cut.push(name(n) + ' by its drawing');
      // What scrolls has a shadow where more is: that is the hint.
      else if (r.right > innerWidth + 1 && !(scrolls && getComputedStyle(scrolls).overflowX === 'auto' && getComputedStyle(scrolls).backgroundImage.includes('gradient'))) f.Cut.push(name(n) + ' by the window');
      else if (scrolls && innerWidth <= 400 && scrolls.scrollWidth > scrolls.clientWidth + 1) f.Cut.push(name(n) + ' on a phone');
    }
  }
  boxes.sort((a, b) => a.t - b.t);
  for (let i = 0; i < boxes.length; i++) {
    const a = boxes[i];
    for (let k = i + 1; k < boxes.length && boxes[k].t < a.b; k++) {
      const b = boxes[k];
      if (a.n !== b.n && Math.min(a.r, b.r) - Math.max(a.l, b.l) > 1 && Math.min(a.b, b.b) - b.t > 1) f.Overlaps.push(name(a.n) + ' and ' + name(b.n));
    }
  }

  // The line of 1× is drawn once at a place, and before any text, which so lies on it.
  for (const s of document.querySelectorAll('svg')) {
    const seen = new Set();
    for (const l of s.querySelectorAll('line.one')) {
      const at = ['x1', 'y1', 'y2'].map(k => l.getAttribute(k)).join(' ');
      if (seen.has(at)) f.Over.push('drawn twice at ' + at);
      seen.add(at);
      const first = s.querySelector('text');
      if (l.parentNode === first.parentNode && !(l.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING)) f.Over.push('over text at ' + at);
    }
  }

  // A legend lists what its card draws.
  const colours = e => [...e.classList].filter(c => /^([co]\d+|v-\w+)$/.test(c));
  for (const card of document.querySelectorAll('figure')) {
    const keys = new Set([...card.querySelectorAll('.keys li')].flatMap(colours));
    if (!keys.size) continue;
    const drawn = new Set([...card.querySelectorAll('svg .fill, svg .curve, svg .case')].flatMap(colours));
    for (const c of keys) if (!drawn.has(c)) f.Legends.push(name(card.querySelector('h4') || card) + ' does not draw ' + c);
    for (const c of drawn) if (!keys.has(c)) f.Legends.push(name(card.querySelector('h4') || card) + ' does not explain ' + c);
  }

  for (const t of document.querySelectorAll('table')) if (t.checkVisibility()) f.Tables++;
  for (const s of document.querySelectorAll('section')) {
    f.Groups++;
    if (!s.querySelector('.body').checkVisibility()) f.Folded++;
  }
  return f;
}
