// The operations of teams.
import {
  memberAdd,
  memberUpdate,
  publicTeamsQuery,
  teamCreate,
  teamsQuery,
  teamUpdate,
} from "../../rest/people_schemas.ts";
import { operations } from "../operation.ts";
import { joinAsk } from "../../rest/people/session_schemas.ts";
import { foundTeam, invitation, joinRequest, member, team, teamList } from "./team_answers.ts";
import { done } from "./user_answers.ts";

const ID = { id: "The id of the team." };
const REQUEST = { ...ID, request: "The id of the join request." };
const MEMBER = { ...ID, email: "The email address of the member." };

export const teamOperations = operations("Teams", {
  listTeams: {
    summary: "List teams",
    description: "The teams of the caller that its token includes. Administrators see all shared teams.",
    query: teamsQuery,
    answers: { 200: teamList },
  },
  createTeam: {
    summary: "Create a team",
    description: "The caller becomes its owner, if the caller has a user record.",
    body: { schema: teamCreate, example: { name: "Travel" } },
    answers: { 201: team },
    errors: ["CONFLICT"],
  },
  discoverTeams: {
    summary: "Find public teams",
    description: "Without those that the caller is in.",
    query: publicTeamsQuery,
    answers: { 200: foundTeam.array() },
  },
  getTeam: { summary: "Read a team", path: ID, answers: { 200: team } },
  updateTeam: {
    summary: "Change a team",
    description: "Only the fields of the body change.",
    path: ID,
    body: { schema: teamUpdate, example: { visibility: "public" } },
    answers: { 200: team },
    errors: ["CONFLICT"],
  },
  deleteTeam: {
    summary: "Delete a team",
    description: "Its entries stay. Administrators see them, and can give them another team.",
    path: ID,
    answers: { 200: done },
    errors: ["CONFLICT"],
  },
  joinTeam: {
    summary: "Ask to join a public team",
    description:
      "The caller is a member when an owner of the team has approved the request. A former request of the caller ends.",
    path: ID,
    body: { schema: joinAsk, example: { message: "I book the trains." } },
    answers: { 200: joinRequest },
    errors: ["CONFLICT", "FORBIDDEN"],
  },
  listJoinRequests: {
    summary: "List the requests to join a team",
    description: "Those that wait, the oldest first.",
    path: ID,
    answers: { 200: joinRequest.array() },
    errors: ["CONFLICT"],
  },
  approveJoinRequest: {
    summary: "Make the user of a join request a member",
    path: REQUEST,
    answers: { 200: member },
    errors: ["CONFLICT"],
  },
  rejectJoinRequest: {
    summary: "Reject a join request",
    description: "The user can ask again.",
    path: REQUEST,
    answers: { 200: done },
    errors: ["CONFLICT"],
  },
  leaveTeam: {
    summary: "Leave a team",
    path: ID,
    answers: { 200: done },
    errors: ["CONFLICT", "FORBIDDEN"],
  },
  listMembers: { summary: "List the members of a team", path: ID, answers: { 200: member.array() } },
  addMember: {
    summary: "Add a user to a team",
    path: ID,
    body: { schema: memberAdd, example: { email: "ann@example.com", role: "member" } },
    answers: { 201: member },
    errors: ["CONFLICT"],
  },
  updateMember: {
    summary: "Make a member an owner, or an owner a member",
    path: MEMBER,
    body: { schema: memberUpdate, example: { role: "owner" } },
    answers: { 200: member },
    errors: ["CONFLICT"],
  },
  removeMember: {
    summary: "Remove a member from a team",
    description: "The roles that the member was assigned in the team end too.",
    path: MEMBER,
    answers: { 200: done },
    errors: ["CONFLICT"],
  },
  listInvitations: {
    summary: "List the open invitations to a team",
    path: ID,
    answers: { 200: invitation.array() },
    errors: ["CONFLICT"],
  },
  inviteMember: {
    summary: "Invite somebody to a team",
    description:
      "The gateway mails no invitations: give the token to the invited person. It works for the invited email address only, " +
      "and once.",
    path: ID,
    body: { schema: memberAdd, example: { email: "bob@example.com" } },
    answers: { 201: invitation },
    errors: ["CONFLICT"],
  },
  acceptInvitation: {
    summary: "Accept an invitation",
    path: { token: "The token of the invitation." },
    answers: { 200: member },
    errors: ["CONFLICT", "FORBIDDEN"],
  },
  cancelInvitation: {
    summary: "Cancel an invitation",
    path: { invitation: "The id of the invitation." },
    answers: { 200: done },
  },
});
