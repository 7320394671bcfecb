// The element of the Restore page: NiceGUI mounts it, the page does the rest.
import { openRestore } from "/static/restore.js";

export default {
  inheritAttrs: false, // keeps the id that the page is found by
  render() {
    return Vue.h("div", { id: "page", class: "look restore", tabindex: "-1" });
  },
  mounted() {
    openRestore(this.$el);
  },
};
