// Reads barcodes with the camera, where the browser has a reader of its own (BarcodeDetector).

const LOOK_MS = 150;
const GONE_MS = 1_200; // a package must be out of sight for so long before the same barcode counts again
const FORMATS = ["data_matrix", "qr_code", "code_128", "ean_13", "ean_8", "upc_a", "upc_e", "itf"];

/** Why the camera can't be used here; "" when it can. */
export async function whyNot() {
  if (!("BarcodeDetector" in self)) return "This browser reads no barcodes with the camera: use a scanner, or type.";
  if (!navigator.mediaDevices?.getUserMedia) return "The camera needs a page with HTTPS: use a scanner, or type.";
  const known = await BarcodeDetector.getSupportedFormats();
  return known.includes("data_matrix") ? "" : "This browser's camera reader knows no DataMatrix: use a scanner, or type.";
}

/** Show the camera in `video` and call `take` with each barcode that comes into sight. Returns a function that ends it. */
export async function look(video, take) {
  const known = await BarcodeDetector.getSupportedFormats();
  const detector = new BarcodeDetector({ formats: FORMATS.filter((each) => known.includes(each)) });
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
  video.srcObject = stream;
  await video.play();
  const seen = new Map();
  let going = true;
  const step = async () => {
    if (!going) return;
    try {
      for (const { rawValue } of await detector.detect(video)) {
        if (!seen.has(rawValue)) take(rawValue);
        seen.set(rawValue, performance.now());
      }
    } catch { /* no picture yet: look again */ }
    for (const [text, at] of seen) if (performance.now() - at > GONE_MS) seen.delete(text);
    setTimeout(step, LOOK_MS);
  };
  step();
  return () => {
    going = false;
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  };
}
