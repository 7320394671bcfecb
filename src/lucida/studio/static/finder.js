// The element of the Search page: NiceGUI mounts it, the page does the rest.
import { openSearch } from "/static/search.js";

export default {
  inheritAttrs: false, // keeps the id that the page is found by
  render() {
    return Vue.h("div", { id: "page", class: "search", tabindex: "-1" });
  },
  mounted() {
    openSearch(this.$el);
  },
};
