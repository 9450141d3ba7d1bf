/** How a comparison is shown. */
export type Mode = 'difference' | 'flip' | 'side by side' | 'blend';

export const modes: Array<{ value: Mode; label: string; description: string }> = [
  { value: 'difference', label: 'Difference', description: 'Candidate less baseline; not significant cells are grey' },
  { value: 'flip', label: 'Flip', description: 'One or the other, changed by the space bar' },
  { value: 'side by side', label: 'Side by side', description: 'The baseline to the left, the candidate to the right' },
  { value: 'blend', label: 'Blend', description: 'One over the other, as much of each as you like' },
];
