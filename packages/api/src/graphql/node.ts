import { Field, ID, InterfaceType } from "type-graphql";

@InterfaceType({
  description: "An object that can be read again by its id.",
  resolveType: (value: { __typename?: string }) => value.__typename,
})
export abstract class Node {
  @Field(() => ID) id!: string;
}
