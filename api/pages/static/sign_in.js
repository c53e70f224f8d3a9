// A login link: its ticket goes from the fragment into the form, and out of the address.

const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");

if (ticket) {
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("token").value = ticket;
  for (const part of document.querySelectorAll("[data-for]")) {
    part.hidden = part.dataset.for !== "ticket";
  }
  document.querySelector("main form button").focus();
}
