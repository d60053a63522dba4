import { parseSync } from 'vite';

/**
 * Leaves the fields of classes to the browser, private ones too, and does by hand what the oldest ones need. The build would
 * rewrite every private field into a WeakMap for two faults of theirs: a twentieth of the first load, and a call for each use.
 * Safari before 16 loses the names around a field's value that has brackets in it (webkit.org/b/236843): within a function they
 * are found. Chrome before 98 cannot set a static `name` or `length` anew, and Safari before 16.4 has no static blocks: there are none.
 */
export function fields() {
  return {
    name: 'chapar-fields',
    apply: 'build',
    enforce: 'pre',
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) if (chunk.type === 'chunk') chunk.code = wrapped(chunk.code, chunk.fileName);
    },
  };
}

/** The code with such values of fields within functions. */
export function wrapped(code, name) {
  const { program, errors } = parseSync(name, code);
  if (errors.length > 0) throw new Error(`${name}: ${errors[0].message}`);
  const values = [];
  walk(program, (node) => {
    if (node.type === 'StaticBlock') throw new Error(`${name}: a static block, which Safari 15 does not know`);
    if (node.type !== 'PropertyDefinition' || !node.value) return;
    if (node.static && !node.computed && ['name', 'length'].includes(node.key.name)) throw new Error(`${name}: a static field that Chrome 96 cannot set: ${node.key.name}`);
    const { type, start, end } = node.value;
    if (!type.endsWith('FunctionExpression') && code.slice(start, end).includes('(')) values.push([start, end]);
  });
  // From the end, so that the places before stay where they are. None lies within another: a class within a value is left as it is.
  let out = code;
  let limit = Infinity;
  for (const [start, end] of values.sort((a, b) => a[0] - b[0]).filter(([start, end]) => (limit === Infinity || start >= limit) && ((limit = end), true)).reverse()) {
    out = `${out.slice(0, start)}(()=>${literal(out.slice(start, end))})()${out.slice(end)}`;
  }
  return out;
}

/** An object's bracket would begin the function's body. */
const literal = (value) => (value.startsWith('{') ? `(${value})` : value);

function walk(node, visit) {
  if (Array.isArray(node)) return node.forEach((each) => walk(each, visit));
  if (typeof node !== 'object' || node === null) return;
  if (typeof node.type === 'string') visit(node);
  for (const key in node) if (key !== 'parent') walk(node[key], visit);
}
