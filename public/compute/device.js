// What this device is: its name for people, and what it can compute with.

// The smallest module that uses a vector instruction: one function that
// splats a byte and negates. Validating it asks the browser for SIMD without
// downloading anything.
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** The best kernel this browser can run: `simd`, `scalar` or `javascript`. */
export function chooseKernel() {
  if (typeof WebAssembly !== 'object') return 'javascript';
  return WebAssembly.validate(SIMD_MODULE) ? 'simd' : 'scalar';
}

/** Browser and system for people, such as `Chromium 140, Android`. */
export function describeDevice(browser = navigator) {
  return `${browserName(browser)}, ${systemName(browser)}`;
}

function browserName(browser) {
  // Only secure pages have `userAgentData`; a node on the LAN is plain http,
  // so most of the time the old text is read.
  const brands = (browser.userAgentData && browser.userAgentData.brands) || [];
  const named = brands.filter((brand) => !/not.*brand/i.test(brand.brand));
  const brand = named.find((candidate) => candidate.brand !== 'Chromium') || named[0];
  if (brand) return `${brand.brand.replace('Google ', '').replace('Microsoft ', '')} ${brand.version}`;

  // In this order, because most of them also claim to be those below them.
  const marks = [
    ['Edge', /\b(?:Edg|EdgA|EdgiOS)\/(\d+)/],
    ['Opera', /\bOPR\/(\d+)/],
    ['Samsung Internet', /\bSamsungBrowser\/(\d+)/],
    ['Firefox', /\b(?:Firefox|FxiOS)\/(\d+)/],
    ['Chrome', /\bCriOS\/(\d+)/],
    ['Chromium', /\b(?:HeadlessChrome|Chrome|Chromium)\/(\d+)/],
    ['Safari', /\bVersion\/(\d+)/],
  ];
  for (const [name, mark] of marks) {
    const found = mark.exec(browser.userAgent || '');
    if (found) return `${name} ${found[1]}`;
  }
  return 'Browser';
}

function systemName(browser) {
  const platform = browser.userAgentData && browser.userAgentData.platform;
  if (platform) return platform;
  const text = browser.userAgent || '';
  // An iPad asks for desktop pages under a Mac's name, but no Mac has a touch screen.
  if (/iPad/.test(text) || (/Macintosh/.test(text) && browser.maxTouchPoints > 1)) return 'iPadOS';
  const marks = [
    ['Android', /Android/],
    ['iOS', /iPhone|iPod/],
    ['ChromeOS', /CrOS/],
    ['Windows', /Windows/],
    ['macOS', /Macintosh/],
    ['Linux', /Linux|X11/],
  ];
  const found = marks.find(([, mark]) => mark.test(text));
  return found ? found[0] : 'unknown system';
}
