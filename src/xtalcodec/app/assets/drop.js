/* A place to drop files on, or to choose them from. They are sent as they are; their names are words, no more. */
export default {
  template: `
    <label class="drop" :class="{ over }" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="dropped">
      <input type="file" multiple @change="chosen" :aria-label="label">
      <b>{{ label }}</b><span>{{ hint }}</span>
    </label>`,
  props: { label: String, hint: String, address: String, largest: Number },
  data: () => ({ over: false }),
  methods: {
    chosen(event) { this.send([...event.target.files]); event.target.value = ""; },
    dropped(event) { this.over = false; this.send([...event.dataTransfer.files]); },
    async send(files) {
      for (const file of files.slice(0, 50)) {
        if (file.size > this.largest) {
          this.$emit("refused", `${file.name} holds ${Math.ceil(file.size / 1048576)} MiB; at most ${this.largest / 1048576} MiB are taken.`);
          continue;
        }
        try {
          const answer = await fetch(this.address, { method: "POST", body: file, headers: { "X-Name": encodeURIComponent(file.name) } });
          if (!answer.ok) this.$emit("refused", `${file.name}: ${await answer.text()}`);
        } catch {
          this.$emit("refused", `${file.name} could not be sent: the server does not answer.`);
        }
      }
    },
  },
};
