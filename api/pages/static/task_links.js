// Share links: created and copied with one click, listed with their uses, and revoked.

import { listLinks, makeLink, revokeLink } from "./calls.js";
import { element } from "./elements.js";
import { tell, tellFailure } from "./notice.js";
import { age, counted, moment, number, text } from "./texts.js";

// The server returns a token only once. So a second copy in the same visit uses the same link.
const made = new Map();

/** Copy the link of this visit to the file of `task`; create it if there is none. */
export async function copyLink(task, card) {
  const link = made.get(task.id) ?? await newLink(task, {});
  const address = new URL(link.url, location.href).href;
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
  section.hidden = task.status !== "SUCCESS";
  if (section.hidden) return;
  const { items } = await listLinks(task.id);
  const lines = items.map((link) => lineOf(link, task, card));
  slot(card, "links-list").replaceChildren(...(lines.length ? lines : [element("li", text("links_none"))]));
}

async function newLink(task, limits) {
  const link = await makeLink(task.id, limits);
  made.set(task.id, link);
  return link;
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
  if (over) return line;
  const button = element("button", text("revoke"), { class: "button quiet" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await revokeLink(task.id, link.id);
      if (made.get(task.id)?.id === link.id) made.delete(task.id);
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
