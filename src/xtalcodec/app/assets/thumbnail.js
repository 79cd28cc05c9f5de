export default {
  template: '<img class="thumbnail" :src="source" :alt="alt" width="150" height="120">',
  props: { view: Object, elements: Object, alt: String },
  data: () => ({ source: "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==" }),
  mounted() {
    const make = () => {
      if (this.$el.isConnected) this.source = Thumbnails.of(Vue.toRaw(this.view), Vue.toRaw(this.elements)) || this.source;
    };
    this.make = () => Thumbnails.later(make);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.make);
    addEventListener("xtalcodec-theme", this.make);
    this.make();
  },
  unmounted() {
    this.dark.removeEventListener("change", this.make);
    removeEventListener("xtalcodec-theme", this.make);
  },
};
