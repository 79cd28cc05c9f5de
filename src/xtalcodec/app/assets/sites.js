/* Sites of a crystal as a table with boxes to tick: what a view offers to the pointer, for keyboard and ear. */
export default {
  template: `
    <div class="scroll sites" tabindex="0" role="group" :aria-label="label">
      <table>
        <thead><tr><th scope="col">Site</th><th scope="col">x, y, z (fractions of the cell)</th></tr></thead>
        <tbody>
          <tr v-for="([name, place], k) in rows" :class="{ chosen: chosen.includes(k) }">
            <td><label><input type="checkbox" :checked="chosen.includes(k)" @change="$emit('told', [k, $event.target.checked])"> {{ name }}</label></td>
            <td>{{ place }}</td>
          </tr>
        </tbody>
      </table>
    </div>`,
  props: { label: String, rows: Array, start: Array },
  data() { return { chosen: [...this.start] }; },
  methods: { mark(sites) { this.chosen = [...sites]; } },
};
