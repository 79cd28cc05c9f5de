export default {
  template: '<div class="crystals"></div>',
  props: { shown: Object },
  mounted() {
    this.stage = new Crystals(this.$el, (name, value) => this.$emit(name, value));
    this.stage.show(Vue.toRaw(this.shown));
  },
  watch: {
    shown(value) { this.stage.show(Vue.toRaw(value)); },
  },
  methods: { mark(sites) { this.stage.mark(sites); } },
  unmounted() { this.stage.close(); },
};
