/**
 * ONNX Runtime's error as a sentence for people: without the places in its C++ source, the path it loaded from, and its status codes.
 * At most 400 characters.
 */
export function cleanRuntimeMessage(message: string): string {
  const cleaned = message
    .replace(/\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : /g, "")
    .replace(/Load model from .*? failed:\s*/g, "")
    .replace(/(Fatal error|Exception during initialization|Exception during loading):\s*/g, "")
    .replace(
      /\S*\/onnxruntime\/\S+?:\d+ .*?(?:\[with [^\]]*\]|\)(?: const)?(?:::<lambda\([^)]*\)>)?) (?=[A-Z0-9"'(])/g,
      "",
    )
    .replace(/\b\w+\.(?:cc|h|cpp):\d+ (?:operator\(\)|\w+) /g, "")
    .replace(/(?:\/[\w.+-]+){2,}/g, (path) => path.slice(path.lastIndexOf("/") + 1))
    .replace(/\s+/g, " ")
    .trim();
  const text = cleaned === "" ? "ONNX Runtime gave no reason" : cleaned;
  const sentence = text.length > 400 ? `${text.slice(0, 399)}…` : text;
  return /[.!…]$/.test(sentence) ? sentence : `${sentence}.`;
}
