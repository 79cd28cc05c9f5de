export default { template: "<span>{{ text }}</span>", props: { text: String } };
