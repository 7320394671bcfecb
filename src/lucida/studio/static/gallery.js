// The element of the page of differences: NiceGUI mounts it, the page does the rest.
import { openCompare } from "/static/compare.js";

export default {
  inheritAttrs: false, // keeps the id that the page is found by
  render() {
    return Vue.h("div", { id: "page", class: "compare", tabindex: "-1" });
  },
  mounted() {
    openCompare(this.$el);
  },
};
