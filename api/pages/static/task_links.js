// Share links: with limits or without, copied or mailed, listed with their uses, and revoked.

import { listLinks, makeLink, revokeLink } from "./calls.js";
import { element } from "./elements.js";
import { tell, tellFailure } from "./notice.js";
import { age, counted, moment, number, text } from "./texts.js";

// The server returns a token only once. So a second copy in the same visit uses the same link.
const made = new Map();
const DAY_MS = 24 * 60 * 60 * 1000;

/** The limits that are chosen in an open row, as the request has them. */
function limitsOf(task, card) {
  const chosen = (name) => Number(card.querySelector(`[data-share="${name}"]`).value);
  const limits = {};
  if (chosen("uses")) limits.max_uses = chosen("uses");
  const until = new Date(Date.now() + chosen("days") * DAY_MS);
  // A link never outlives its file.
  if (chosen("days") && until < new Date(task.expires_at)) limits.expires_at = until.toISOString();
  return limits;
}

/** The link of this visit with the chosen limits; it is created if there is none. */
async function linkOf(task, card) {
  const uses = card.querySelector('[data-share="uses"]').value;
  const days = card.querySelector('[data-share="days"]').value;
  const key = `${task.id} ${uses} ${days}`;
  if (!made.has(key)) made.set(key, await makeLink(task.id, limitsOf(task, card)));
  const link = made.get(key);
  return { link, address: new URL(link.url, location.href).href };
}

/** Open a mail with the link in the reader's own mail program. */
export async function mailLink(task, card) {
  const { link, address } = await linkOf(task, card);
  const subject = text("mail_subject", { filename: task.filename });
  const body = text("mail_body", { filename: task.filename, address, time: moment(link.expires_at) });
  window.open(`mailto:?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(body)}`, "_self");
  await showLinks(task, card);
}

/** Have the server mail a link with the chosen limits to a colleague. */
export async function sendLink(task, card) {
  const to = card.querySelector('[data-share="to"]');
  const address = to.value.trim();
  const problem = slot(card, "share-problem");
  const say = (detail) => {
    problem.textContent = detail;
    problem.hidden = !detail;
    if (detail) to.setAttribute("aria-invalid", "true");
    else to.removeAttribute("aria-invalid");
  };
  if (!address || to.validity.typeMismatch) {
    say(text("bad_email"));
    return to.focus();
  }
  try {
    await makeLink(task.id, { ...limitsOf(task, card), email: address });
  } catch (error) {
    if (error.code !== "bad_notify") throw error;
    say(error.message);
    return to.focus();
  }
  say("");
  to.value = "";
  tell(text("share_sent", { address }), { kind: "good" });
  await showLinks(task, card);
}

/** Copy the link to the file of `task`. */
export async function copyLink(task, card) {
  const { link, address } = await linkOf(task, card);
  try {
    await navigator.clipboard.writeText(address);
    tell(text("link_copied", { filename: task.filename, time: moment(link.expires_at) }), { kind: "good" });
  } catch {
    // No permission, or plain HTTP, where there is no clipboard.
    showByHand(card, address);
  }
  if (!slot(card, "more").hidden) await showLinks(task, card);
}

/** Fill in the list of links of an open card. */
export async function showLinks(task, card) {
  const section = slot(card, "links");
  section.hidden = slot(card, "share").hidden = task.status !== "SUCCESS";
  if (section.hidden) return;
  const { items } = await listLinks(task.id);
  const lines = items.map((link) => lineOf(link, task, card));
  slot(card, "links-list").replaceChildren(...(lines.length ? lines : [element("li", text("links_none"))]));
}

function lineOf(link, task, card) {
  const over = endOf(link);
  const limited = link.max_uses !== null;
  const uses = counted(limited ? "link_uses_of" : "link_uses", "uses", link.uses, {
    max: limited ? number(link.max_uses) : "",
  });
  const line = element("li");
  line.append(element("span", over
    ? text("link_line_over", { made: age(link.created_at), uses, over: text(over) })
    : text("link_line", { made: age(link.created_at), uses, ends: age(link.expires_at) })));
  if (link.recipient) line.firstChild.append(` · ${text("link_to", { address: link.recipient })}`);
  if (over) return line;
  const button = element("button", text("revoke"), { class: "button quiet" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await revokeLink(task.id, link.id);
      for (const [key, one] of made) if (one.id === link.id) made.delete(key);
      tell(text("revoked"));
      await showLinks(task, card);
    } catch (error) {
      button.disabled = false;
      tellFailure(error);
    }
  });
  line.append(button);
  return line;
}

/** The key of the text that says why a link is no longer valid; null while it is valid. */
function endOf(link) {
  if (link.revoked_at) return "link_revoked";
  const used = link.max_uses !== null && link.uses >= link.max_uses;
  return used || new Date(link.expires_at) <= new Date() ? "link_over" : null;
}

function showByHand(card, address) {
  const box = slot(card, "link-by-hand");
  box.hidden = false;
  const input = box.querySelector("input");
  input.value = address;
  input.select();
}

const slot = (card, name) => card.querySelector(`[data-slot="${name}"]`);
