/* A map of crystals, as the pages that are written to disk have it. */
export default {
  template: '<div class="map"></div>',
  props: { shown: Object, start: Object },
  mounted() {
    this.stage = new CrystalMap(this.$el, (name, value) => this.$emit(name, value));
    if (this.shown) this.stage.show(Vue.toRaw(this.shown), this.start);
  },
  watch: {
    shown(value) { if (value) this.stage.show(Vue.toRaw(value), this.start); },
  },
  methods: { choose(place) { this.stage.choose(place); } },
  unmounted() { this.stage.close(); },
};
