// What changes something: each is a POST with the admin token, which stays in this tab.

import { find, show, write } from "./elements.js";

const KEPT = "admin-token";

const dialog = find("ask");
const field = find("token");
let wanted = null;

const token = () => sessionStorage.getItem(KEPT) ?? "";

/**
 * Do it. It is { path, title, words, verb, confirm }: where it is confirmed, or no token is known,
 * a dialog asks first. onDone hears of a failure in words, or of success with "".
 */
export async function act(action, onDone) {
  if (token() && !action.confirm) {
    const wrong = await post(action.path);
    if (!wrong.token) {
      onDone(wrong.words);
      return;
    }
    ask(action, onDone, wrong.words);
    return;
  }
  ask(action, onDone, "");
}

function ask(action, onDone, wrong) {
  wanted = { action, onDone };
  write(find("ask-title"), action.title);
  write(find("ask-words"), action.words);
  write(find("ask-go"), action.verb);
  write(find("ask-error"), wrong);
  show(find("ask-token"), !token());
  field.value = "";
  field.setAttribute("aria-invalid", String(wrong !== ""));
  dialog.showModal();
  (token() ? find("ask-go") : field).focus();
}

async function go(event) {
  event.preventDefault();
  const { action, onDone } = wanted;
  if (!token()) {
    keep(field.value.trim());
  }
  const wrong = await post(action.path);
  if (wrong.words) {
    write(find("ask-error"), wrong.words);
    field.setAttribute("aria-invalid", String(wrong.token));
    show(find("ask-token"), !token());
    if (wrong.token) {
      field.focus();
      field.select();
    }
    return;
  }
  dialog.close();
  onDone("");
}

/** What was wrong, in words; "" where nothing was. ``token``: whether it was the token. */
async function post(path) {
  const given = token();
  const wrongToken = {
    token: true,
    words: "That is not the admin token. It is in the file admin.token of the state folder.",
  };
  // A header holds nothing else, and so does no token.
  if (!/^[!-~]+$/.test(given)) {
    keep("");
    return wrongToken;
  }
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { Authorization: `Bearer ${given}` },
      credentials: "omit",
      redirect: "error",
    });
  } catch {
    return { token: false, words: "The sidecar does not answer. Nothing is known to have changed." };
  }
  if (response.status === 401) {
    keep("");
    return wrongToken;
  }
  if (response.ok) {
    return { token: false, words: "" };
  }
  const answer = await response.json().catch(() => ({}));
  return { token: false, words: `It was not done: ${answer.error ?? response.status}` };
}

function keep(text) {
  if (text) {
    sessionStorage.setItem(KEPT, text);
  } else {
    sessionStorage.removeItem(KEPT);
  }
  show(find("kept"), text !== "");
}

find("ask-form").addEventListener("submit", go);
find("ask-cancel").addEventListener("click", () => dialog.close());
find("forget").addEventListener("click", () => keep(""));
keep(token());
