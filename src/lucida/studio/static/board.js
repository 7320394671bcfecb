// The element of the review page: NiceGUI mounts it and pushes the number of the turn, the page does the rest.
import { openReview } from "/static/review.js";

export default {
  props: { turn: Number },
  inheritAttrs: false, // keeps the id that the page is found by
  render() {
    return Vue.h("div", { id: "page", class: "board", tabindex: "-1" });
  },
  mounted() {
    this.desk = openReview(this.$el);
  },
  watch: {
    turn(turn) {
      this.desk.changed(turn);
    },
  },
};
