// The element of the Generate page: NiceGUI mounts it, the page does the rest.
import { openGenerate } from "/static/generate.js";

export default {
  inheritAttrs: false, // keeps the id that the page is found by
  render() {
    return Vue.h("div", { id: "page", class: "look generate", tabindex: "-1" });
  },
  mounted() {
    openGenerate(this.$el);
  },
};
