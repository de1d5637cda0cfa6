// Moving through the page: links between sections, and which section is in view.
import { allOf, byId } from "./elements.mjs";

/** Scroll to a section and move the focus there; the fragment stays the reader's view.
 * @param {string} id */
export function goTo(id) {
  const target = byId(id);
  target.tabIndex = -1;
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}

/** @type {(link: HTMLElement) => string} */
const targetOf = (link) => (link.getAttribute("href") ?? "").slice(1);

/** Make the page's own links keep the fragment, and mark the section in view. */
export function watchSections() {
  for (const link of allOf('a[href^="#"]')) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      goTo(targetOf(link));
    });
  }
  const links = new Map(allOf(".sections a").map((link) => [targetOf(link), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-30% 0px -65%" });
  links.forEach((_link, id) => watcher.observe(byId(id)));
}
