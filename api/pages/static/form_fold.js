// On a phone the form is folded away once there are exports: who returns wants a file.

const narrow = window.matchMedia("(max-width: 56rem)");

export class FormFold {
  #section;
  #form;
  #button;
  #wanted = false;
  #folds = false;

  constructor(form) {
    this.#form = form;
    this.#section = form.closest("section");
    this.#button = this.#section.querySelector("#unfold");
    this.#button.addEventListener("click", () => this.open({ focus: true }));
    narrow.addEventListener("change", () => this.#draw());
  }

  /** There are exports (or none): the form is folded unless somebody is at it. */
  exports(some) {
    this.#folds = some;
    this.#draw();
  }

  open({ focus = false } = {}) {
    this.#wanted = true;
    this.#draw();
    if (!focus) return;
    this.#form.elements.type.focus({ preventScroll: true });
    this.#section.scrollIntoView({ block: "start" });
  }

  /** An export was started. */
  close() {
    this.#wanted = false;
    this.#draw();
  }

  #draw() {
    const folded = narrow.matches && this.#folds && !this.#wanted;
    this.#section.classList.toggle("folded", folded);
    this.#button.setAttribute("aria-expanded", String(!folded));
  }
}
