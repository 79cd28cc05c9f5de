/* A place to drop files on, or to choose them from. They are sent as they are, one by one, and read once all are there;
   their names are words, no more. */
export default {
  template: `
    <label class="drop" :class="{ over }" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="dropped">
      <input type="file" multiple @change="chosen" :aria-label="label">
      <b>{{ label }}</b><span>{{ hint }}</span>
    </label>`,
  props: { label: String, hint: String, address: String, largest: Number, most: Number },
  data: () => ({ over: false }),
  methods: {
    chosen(event) { this.send([...event.target.files]); event.target.value = ""; },
    dropped(event) { this.over = false; this.send([...event.dataTransfer.files]); },
    async send(files) {
      const refused = [];
      for (const file of files.slice(0, this.most)) {
        const why = await this.put(file);
        if (why) refused.push(why);
      }
      if (files.length > this.most) refused.push(`Only the first ${this.most} of ${files.length} files are taken.`);
      await fetch(`${this.address}/end`, { method: "POST" }).catch(() => null);
      for (const why of refused) this.$emit("refused", why);
    },
    async put(file) {
      if (file.size > this.largest)
        return `${file.name} holds ${Math.ceil(file.size / 1048576)} MiB; at most ${this.largest / 1048576} MiB are taken.`;
      try {
        const answer = await fetch(this.address, { method: "POST", body: file, headers: { "X-Name": encodeURIComponent(file.name) } });
        return answer.ok ? "" : `${file.name}: ${await answer.text()}`;
      } catch {
        return `${file.name} could not be sent: the server does not answer.`;
      }
    },
  },
};
