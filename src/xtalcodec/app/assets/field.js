/* An input, a list or a box to tick, with its name; it holds itself what was typed, whatever is drawn anew around it. */
export default {
  template: `
    <label v-if="options" class="field">{{ name }}
      <select v-model="value" @change="tell"><option v-for="[key, text] in options" :value="key">{{ text }}</option></select>
    </label>
    <label v-else-if="attributes.type === 'checkbox'" class="field check">
      <input v-bind="attributes" v-model="value" @change="tell">{{ name }}
    </label>
    <label v-else class="field">{{ name }}
      <input v-bind="attributes" v-model="value" @change="tell" @keydown.enter="entered">
    </label>`,
  props: { name: String, start: null, options: Array, attributes: Object },
  data() { return { value: this.start }; },
  methods: {
    tell() { this.$emit("told", this.value); },
    entered() { this.tell(); this.$emit("entered"); },
  },
};
