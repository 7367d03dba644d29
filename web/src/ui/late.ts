// What is not needed to show a conversation; one bundle of its own.
export { Dialogs } from "./Dialogs";
export { Glass } from "./Glass";
export { TokenCard } from "./TokenCard";
