import type { AdminProblem } from './problem.ts';

/** Ends a request with a problem, from wherever it is found. */
export class ProblemError extends Error {
  readonly problem: AdminProblem;

  constructor(problem: AdminProblem) {
    super(problem.detail);
    this.name = 'ProblemError';
    this.problem = problem;
  }
}
