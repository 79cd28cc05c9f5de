/* The periodic table, to choose elements from. One stop for the tabulator; arrow keys go from element to element. */
export default {
  template: `
    <div class="periodic" role="group" :aria-label="label">
      <button v-for="(cell, k) in cells" :key="cell.symbol" type="button" ref="buttons" :disabled="!cell.known"
        :style="{ gridRow: cell.row + (cell.row > 7), gridColumn: cell.column }" :tabindex="k === at ? 0 : -1"
        :aria-pressed="chosen.includes(cell.symbol) ? 'true' : 'false'" :aria-label="cell.name" :title="cell.name"
        @click="toggle(k)" @keydown="move($event, k)">{{ cell.symbol }}</button>
    </div>`,
  props: { label: String, cells: Array, start: Array },
  data() {
    return { chosen: [...this.start], at: this.cells.findIndex(({ known }) => known) };
  },
  methods: {
    toggle(k) {
      const { symbol } = this.cells[k];
      this.at = k;
      this.chosen = this.chosen.includes(symbol) ? this.chosen.filter((one) => one !== symbol) : [...this.chosen, symbol];
      this.$emit("told", [...this.chosen]);
    },
    put(symbols) { this.chosen = [...symbols]; },
    move(event, k) {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const next = this.nearest(this.cells[k], step);
      if (next < 0) return;
      this.at = next;
      this.$refs.buttons[next].focus();
    },
    /** The nearest element that can be chosen in a direction: along its line first, then beside it. */
    nearest(from, [down, right]) {
      const away = ({ row, column }) => {
        const [ahead, aside] = down ? [(row - from.row) * down, Math.abs(column - from.column)]
          : [(column - from.column) * right, Math.abs(row - from.row)];
        return ahead > 0 ? ahead + 20 * aside : Infinity;
      };
      const all = this.cells.map((cell) => (cell.known ? away(cell) : Infinity));
      const least = Math.min(...all);
      return least === Infinity ? -1 : all.indexOf(least);
    },
  },
};
