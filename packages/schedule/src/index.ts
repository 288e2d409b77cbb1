/** Values that change over a run: the learning rate by its shapes, and any other value between points. */
export {
  isScheduleName,
  schedule,
  scheduleNames,
  type Schedule,
  type ScheduleName,
  type ScheduleOptions,
} from "./learning-rate.ts";
export {
  atStep,
  heldSchedule,
  linearSchedule,
  type NumberRequest,
  type Progress,
  type ValueSchedule,
} from "./over-run.ts";
export { hasPlaces, parsePoints, pointsOfMap, showPoints, type Point, type Scheduled } from "./points.ts";
