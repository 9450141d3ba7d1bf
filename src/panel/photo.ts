/**
 * A picture of a part of the page, as it is seen: canvases, SVG drawings,
 * backgrounds, borders and texts, in this order of the page. It knows nothing
 * of the panel, and draws what the panel is made of and no more: no shadows or
 * pictures, and borders are lines without a pattern.
 */

/** Elements with this attribute are left out. */
export const unseen = 'data-unseen';

/** What is left clear around the element, in CSS pixels: a panel leaves as much. */
const margin = 8;

/** How far an SVG drawing may reach out of its box, in CSS pixels, as labels at the ends of an axis do. */
const overhang = 48;

interface Photo {
  /** Written over the picture. */
  title: string;
  background: string;
  /** Copies what is on a canvas that is drawn by a worker. */
  pixelsOf: (canvas: HTMLCanvasElement) => Promise<CanvasImageSource>;
}

/** Draws an element in as many pixels as the screen has for it. Fails when the browser gives no picture. */
export async function photograph(element: HTMLElement, { title, background, pixelsOf }: Photo): Promise<Blob> {
  const page = element.ownerDocument;
  const density = page.defaultView?.devicePixelRatio ?? 1;
  const box = element.getBoundingClientRect();
  const style = styleOf(element);
  const size = parseFloat(style.fontSize);
  const head = title ? Math.round(2.5 * size) : 0;
  const canvas = page.createElement('canvas');
  const width = box.width + 2 * margin;
  const height = box.height + head + 2 * margin;
  canvas.width = Math.ceil(width * density);
  canvas.height = Math.ceil(height * density);
  const context = canvas.getContext('2d');
  if (!context) {
    throw new Error('picture of the panel: the browser gives no canvas to draw it on');
  }
  context.scale(density, density);
  context.fillStyle = background;
  context.fillRect(0, 0, width, height);
  context.textBaseline = 'middle';
  if (title) {
    context.font = `500 ${size}px ${style.fontFamily}`;
    context.fillStyle = style.color;
    context.fillText(title, margin, margin + head / 2);
  }
  context.translate(margin - box.left, margin + head - box.top);
  await drawElement(context, element, pixelsOf);
  return new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error('picture of the panel: the browser gives no PNG of it'))),
      'image/png'
    )
  );
}

async function drawElement(context: CanvasRenderingContext2D, element: Element, pixelsOf: Photo['pixelsOf']) {
  context.save();
  // What is in an element is no less transparent than the element.
  context.globalAlpha *= Number(styleOf(element).opacity);
  await drawInside(context, element, pixelsOf);
  context.restore();
}

async function drawInside(context: CanvasRenderingContext2D, element: Element, pixelsOf: Photo['pixelsOf']) {
  const box = element.getBoundingClientRect();
  const style = styleOf(element);
  if (element.hasAttribute(unseen) || style.visibility === 'hidden' || Number(style.opacity) === 0) {
    return;
  }
  if (element instanceof HTMLCanvasElement) {
    context.drawImage(await pixelsOf(element), box.left, box.top, box.width, box.height);
    return;
  }
  if (element instanceof SVGSVGElement) {
    await drawSVG(context, element, box, style);
    return;
  }
  if (style.overflow !== 'visible') {
    context.beginPath();
    context.rect(box.left, box.top, box.width, box.height);
    context.clip();
  }
  drawBox(context, element, box, style);
  for (const child of element.childNodes) {
    if (child instanceof Element) {
      await drawElement(context, child, pixelsOf);
    } else if (child.nodeType === Node.TEXT_NODE && child.textContent?.trim()) {
      drawText(context, child, style);
    }
  }
}

/** Fills the box of an element, which may be turned about its middle, and draws its borders. */
function drawBox(context: CanvasRenderingContext2D, element: Element, box: DOMRect, style: CSSStyleDeclaration) {
  const isTurned = style.transform !== 'none' && element instanceof HTMLElement;
  const { left, top, width, height } = isTurned
    ? new DOMRect(-element.offsetWidth / 2, -element.offsetHeight / 2, element.offsetWidth, element.offsetHeight)
    : box;
  context.save();
  if (isTurned) {
    const { a, b, c, d } = new DOMMatrix(style.transform);
    context.translate(box.left + box.width / 2, box.top + box.height / 2);
    context.transform(a, b, c, d, 0, 0);
  }
  const radius = parseFloat(style.borderTopLeftRadius);
  if (radius > 0) {
    context.beginPath();
    context.roundRect(left, top, width, height, radius);
    context.clip();
  }
  context.fillStyle = style.backgroundColor;
  context.fillRect(left, top, width, height);
  drawBorders(context, new DOMRect(left, top, width, height), style);
  context.restore();
}

/** Draws each border as the four-sided shape between the corners of the box and those of what is inside: a triangle where that is nothing. */
function drawBorders(
  context: CanvasRenderingContext2D,
  { left, top, right, bottom }: DOMRect,
  style: CSSStyleDeclaration
) {
  const of = (side: 'Top' | 'Right' | 'Bottom' | 'Left') => ({
    colour: style[`border${side}Color`],
    // A border of style none has no width.
    width: parseFloat(style[`border${side}Width`]) || 0,
  });
  const borders = [of('Top'), of('Right'), of('Bottom'), of('Left')];
  const [above, beside, below, before] = borders.map(({ width }) => width);
  const outer = [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ];
  const inner = [
    [left + before, top + above],
    [right - beside, top + above],
    [right - beside, bottom - below],
    [left + before, bottom - below],
  ];
  borders.forEach(({ colour, width }, i) => {
    if (width > 0) {
      const next = (i + 1) % 4;
      context.fillStyle = colour;
      context.beginPath();
      for (const [x, y] of [outer[i], outer[next], inner[next], inner[i]]) {
        context.lineTo(x, y);
      }
      context.fill();
    }
  });
}

/** Draws a text, line by line. */
function drawText(context: CanvasRenderingContext2D, text: Node, style: CSSStyleDeclaration) {
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  context.letterSpacing = style.letterSpacing;
  context.fillStyle = style.color;
  for (const { words, left, middle } of linesOf(text)) {
    context.fillText(words.join(' '), left, middle);
  }
}

/** The lines that the browser has broken a text into, by where it has put the words. */
function linesOf(text: Node) {
  const lines: Array<{ words: string[]; left: number; middle: number }> = [];
  const range = text.ownerDocument!.createRange();
  for (const { 0: word, index } of text.textContent!.matchAll(/\S+/g)) {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    const { left, top, height } = range.getBoundingClientRect();
    const middle = top + height / 2;
    const line = lines[lines.length - 1];
    if (line && Math.abs(line.middle - middle) < height / 2) {
      line.words.push(word);
    } else {
      lines.push({ words: [word], left, middle });
    }
  }
  return lines;
}

/** Draws a drawing as an image of it, which takes no styles or fonts from the page. */
async function drawSVG(
  context: CanvasRenderingContext2D,
  svg: SVGSVGElement,
  { left, top, width, height }: DOMRect,
  style: CSSStyleDeclaration
) {
  if (width === 0 || height === 0) {
    return;
  }
  const copy = svg.cloneNode(true) as SVGSVGElement;
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('font-family', style.fontFamily);
  copy.setAttribute('color', style.color);
  copy.setAttribute('fill', style.fill);
  const isScaled = svg.hasAttribute('viewBox');
  const over = !isScaled && style.overflow === 'visible' ? overhang : 0;
  if (!isScaled) {
    copy.setAttribute('viewBox', `${-over} ${-over} ${width + 2 * over} ${height + 2 * over}`);
  }
  copy.setAttribute('width', `${width + 2 * over}`);
  copy.setAttribute('height', `${height + 2 * over}`);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  context.drawImage(image, left - over, top - over, width + 2 * over, height + 2 * over);
}

const styleOf = (element: Element) => element.ownerDocument.defaultView!.getComputedStyle(element);

/** Hands a file to the user. */
export function download(page: Document, file: Blob, name: string) {
  const link = page.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // Not at once: the browser begins to read it after this.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The name of a file that is made of a panel: its title, as far as file systems take it, a time, and what kind it is. */
export function fileName(title: string, at: Date, extension: string): string {
  const name = title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '');
  return `${name || 'heat'}-${at.toISOString().slice(0, 19).replace(/[:T]/g, '-')}${extension}`;
}
