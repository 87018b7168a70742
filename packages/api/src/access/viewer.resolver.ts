import { Ctx, Field, ObjectType, Query, Resolver } from "type-graphql";
import type { Context } from "../graphql/context.js";
import { RoleEnum } from "../graphql/enums.js";
import { Requires } from "../graphql/policy.js";
import type { Role } from "../kernel/permissions.js";

@ObjectType({ description: "Who asks." })
export class Viewer {
  @Field(() => String, { description: "How it proved itself: by a `token`." }) kind!: string;
  @Field(() => String, { description: "As it stands in events as the actor." }) name!: string;
  @Field(() => RoleEnum, { description: "What it may do." }) role!: Role;
}

@Resolver()
export class ViewerResolver {
  @Query(() => Viewer, { description: "Who asks: the holder of the token that came along." })
  @Requires("read")
  async viewer(@Ctx() { scope }: Context) {
    return scope.principal;
  }
}
