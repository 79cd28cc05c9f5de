/* A latent as a picture: a row for each number of a patch, a column for each patch. */
const BLUE_TO_ORANGE = ["#2166ac", "#92c5de", "#f7f7f7", "#fdb863", "#b35806"];
export default {
  template: `
    <figure class="latent">
      <canvas ref="canvas" role="img" :aria-label="told"></canvas>
      <figcaption>{{ told }} <span class="scale"><span>{{ -most }}<i ref="bar"></i>{{ most }}</span></span></figcaption>
    </figure>`,
  props: { latent: Object },
  computed: {
    most() { return Math.max(1, Math.ceil(Math.max(...this.latent.rows.flat().map(Math.abs)))); },
    told() {
      const { rows, patches } = this.latent;
      return `${rows.length} numbers (rows) for each of ${patches.join(" × ")} patches of the cell (columns); no unit`;
    },
  },
  mounted() { this.draw(); },
  watch: { latent() { this.$nextTick(() => this.draw()); } },
  methods: {
    draw() {
      const { rows } = this.latent;
      const canvas = this.$refs.canvas;
      [canvas.width, canvas.height] = [rows[0].length, rows.length];
      const pen = canvas.getContext("2d");
      rows.forEach((row, y) => row.forEach((value, x) => {
        pen.fillStyle = Surface.shade(value, [-this.most, this.most], BLUE_TO_ORANGE);
        pen.fillRect(x, y, 1, 1);
      }));
      this.$refs.bar.style.background = `linear-gradient(90deg, ${BLUE_TO_ORANGE.join(", ")})`;
    },
  },
};
