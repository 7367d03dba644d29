// Line icons, drawn on a grid of 24. Decorative: the buttons that hold them have names.
const PATHS = {
  menu: "M4 7h16M4 12h16M4 17h10",
  plus: "M12 5v14M5 12h14",
  search: "M11 18a7 7 0 1 1 0-14 7 7 0 0 1 0 14zM20 20l-4-4",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  clip: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.700L9.4 17a1.7 1.7 0 0 1-2.4-2.400L14.5 7",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 13l4 4L19 7",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  retry: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  many: "M6 4v6a4 4 0 0 0 4 4h8M6 10v10M14 10l4 4-4 4",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  down: "M6 10l6 6 6-6",
  close: "M6 6l12 12M18 6L6 18",
  glass: "M12 4l8 4.500v7L12 20l-8-4.500v-7zM4 8.500l8 4.5 8-4.500M12 13v7",
  gear: "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 19.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  spark: "M12 4c.8 4.7 3.3 7.2 8 8-4.7.8-7.2 3.3-8 8-.8-4.7-3.3-7.2-8-8 4.7-.8 7.2-3.3 8-8z",
  export: "M12 15V4M7 9l5-5 5 5M5 15v5h14v-5",
  import: "M12 4v11M7 10l5 5 5-5M5 15v5h14v-5",
  file: "M6 3h8l4 4v14H6zM14 3v5h4",
  warn: "M12 4l9 16H3zM12 10v4M12 17h.01",
} as const;
export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { name: IconName }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
);
