// Small things that the views share.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../core/i18n";
import { Icon, type IconName } from "./icons";

/** Ticks while something runs, so that timers move. */
export const clock = signal(0);
export const dialog = signal<"" | "settings" | "help" | "palette">("");

interface ButtonProps {
  icon: IconName;
  label: string;
  onClick: (event: MouseEvent) => void;
  keys?: string;
  pressed?: boolean;
  expanded?: boolean;
  disabled?: boolean;
  class?: string;
}

export const IconButton = ({ icon, label, onClick, keys, pressed, expanded, disabled, ...rest }: ButtonProps) => (
  <button
    type="button"
    class={`icon-button ${rest.class ?? ""}`}
    aria-label={label}
    title={keys ? `${label} (${keys})` : label}
    aria-pressed={pressed}
    aria-expanded={expanded}
    disabled={disabled}
    onClick={onClick}
  >
    <Icon name={icon} />
  </button>
);

export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const done = useRef(signal(false)).current;
  const copy = async () => {
    await navigator.clipboard.writeText(text());
    done.value = true;
    setTimeout(() => (done.value = false), 1500);
  };
  return <IconButton icon={done.value ? "check" : "copy"} label={done.value ? t("copied") : label} onClick={copy} />;
}

interface DialogProps {
  title: string;
  class?: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** A modal dialog of the browser: it keeps the focus and closes with Esc. */
export function Dialog({ title, onClose, children, ...rest }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = ref.current!;
    element.showModal();
    return () => element.close();
  }, []);
  return (
    <dialog
      ref={ref}
      class={rest.class}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2>{title}</h2>
          <IconButton icon="close" label={t("close")} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

export function download(name: string, text: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
