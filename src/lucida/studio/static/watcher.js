// The element of the Watch page: NiceGUI mounts it, the page does the rest.
import { openWatch } from "/static/watch.js";

export default {
  inheritAttrs: false, // keeps the id that the page is found by
  render() {
    return Vue.h("div", { id: "page", class: "train watch", tabindex: "-1" });
  },
  mounted() {
    openWatch(this.$el);
  },
};
