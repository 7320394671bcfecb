// What an error of the library says on a page. It speaks of the command line: a page names its own field instead of an
// option, and leaves out what it has no field for.
import { say } from "/static/words.js";

let fields = {}; // option: key of the words that its field is called by

export function nameFields(names) {
  fields = names;
}

// The lines of an error in four parts; those that are empty are left out.
export function lines({ what, expected, got, hint }) {
  const told = [onPage(what), labelled("find.expected", onPage(expected)), labelled("find.got", got), labelled("find.try", advice(hint))];
  return told.filter(Boolean);
}

const labelled = (key, text) => text && `${say(key)} ${text}`;
const onPage = (text) => text?.replace(/--([a-z][a-z-]*)/g, (all, name) => (fields[name] ? say("find.field", { name: say(fields[name]) }) : all));

// A command of the shell with its options is no advice here, nor is an option that has no field.
function advice(hint) {
  const clauses = (hint ?? "").replace(/`?lucida [a-z]+[^;?]*?--[^;?]*/g, "").split("; ");
  return clauses.map((clause) => onPage(clause.trim())).filter((clause) => clause && !/(^|\s)(--[a-z]|-o\b)/.test(clause)).join("; ");
}
