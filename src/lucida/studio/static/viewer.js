// The element of the Look page: NiceGUI mounts it, the page does the rest.
import { openLook } from "/static/look.js";

export default {
  inheritAttrs: false, // keeps the id that the page is found by
  render() {
    return Vue.h("div", { id: "page", class: "look", tabindex: "-1" });
  },
  mounted() {
    openLook(this.$el);
  },
};
