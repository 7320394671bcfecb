// The element of the Train page: NiceGUI mounts it, the page does the rest.
import { openTrain } from "/static/train.js";

export default {
  inheritAttrs: false, // keeps the id that the page is found by
  render() {
    return Vue.h("div", { id: "page", class: "train", tabindex: "-1" });
  },
  mounted() {
    openTrain(this.$el);
  },
};
