/** Groups of radio buttons and of check boxes. */
import { useId } from 'react';

interface ChoicesProps<Value> {
  title: string;
  name: string;
  options: readonly Value[];
  value: Value;
  words: (value: Value) => string;
  choose: (value: Value) => void;
}

export function Choices<Value extends string | number | null>({
  title,
  name,
  options,
  value,
  words,
  choose,
}: ChoicesProps<Value>): React.JSX.Element {
  const group = useId();
  return (
    <fieldset>
      <legend>{title}</legend>
      <div className="pa-choices">
        {options.map((option) => (
          <label key={String(option)} className="pa-choice">
            <input type="radio" name={`${group}-${name}`} checked={option === value} onChange={() => choose(option)} />
            {words(option)}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

interface TicksProps<Value> {
  title: string;
  options: readonly Value[];
  values: readonly Value[];
  words: (value: Value) => string;
  choose: (values: Value[]) => void;
}

export function Ticks<Value extends string>({
  title,
  options,
  values,
  words,
  choose,
}: TicksProps<Value>): React.JSX.Element {
  const toggled = (option: Value): Value[] => options.filter((each) => values.includes(each) !== (each === option));
  return (
    <fieldset>
      <legend>{title}</legend>
      <div className="pa-choices">
        {options.map((option) => (
          <label key={option} className="pa-choice">
            <input type="checkbox" checked={values.includes(option)} onChange={() => choose(toggled(option))} />
            {words(option)}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
